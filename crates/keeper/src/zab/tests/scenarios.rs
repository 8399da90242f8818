//! Named situations.

use super::world::World;

#[test]
fn the_first_leader_is_the_one_with_the_highest_id() {
    let mut world = World::new(1, 3, 1);
    world.run_for_ms(3_000);
    assert_eq!(world.united_under(), Some(2));
}
