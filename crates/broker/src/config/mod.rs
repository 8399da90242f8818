//! Settings of brokers and topics: one table row each, from which the parser and DescribeConfigs come.
