//! State machines over compacted internal topics: a request becomes records and a response; replaying a record alone changes
//! state.
