use super::*;
use crate::proto::ErrorCode;

fn open() -> Vec<u8> {
    crate::acl::encode(&[crate::proto::OPEN_ACL])
}

fn create(tree: &mut DataTree, path: &str, data: &[u8], owner: i64, zxid: i64) -> Result<(), ErrorCode> {
    let acl = open();
    tree.create_node(path, Some(data), AclList::from_encoded(&acl), owner, -1, zxid, 1_000 + zxid, &mut ())
}

#[test]
fn a_new_tree_is_zookeepers() {
    let tree = DataTree::new(false);
    assert_eq!((tree.node_count(), tree.approximate_data_size()), (5, 44));
    assert_eq!(tree.get("/").expect("root").children().collect::<Vec<_>>(), ["zookeeper"]);
    assert_eq!(tree.get("").expect("root").path(), "/");
    // The digest of an empty 3.9.5 server, from its first transaction.
    assert_eq!(tree.get("/zookeeper/config").expect("config").stat().aversion, -1);
}

#[test]
fn nodes_come_and_go() {
    let mut tree = DataTree::new(false);
    let before = tree.digest();
    create(&mut tree, "/a", b"x", 0, 1).expect("created");
    create(&mut tree, "/a/b", b"yy", 7, 2).expect("created");
    create(&mut tree, "/a/c", b"", 0, 3).expect("created");
    assert_eq!(create(&mut tree, "/q/c", b"", 0, 4), Err(ErrorCode::NoNode));
    let a = tree.get("/a").expect("there");
    assert_eq!((a.stat().cversion, a.stat().num_children, a.stat().pzxid), (2, 2, 3));
    assert_eq!(tree.ephemerals(7).collect::<Vec<_>>(), ["/a/b"]);
    tree.delete_node("/a/b", 5, &mut ()).expect("deleted");
    assert_eq!(tree.ephemeral_count(), 0);
    let a = tree.get("/a").expect("there").stat();
    assert_eq!((a.cversion, a.num_children, a.pzxid), (3, 1, 5));
    assert_eq!(tree.descendant_count("/a"), 1);
    tree.delete_node("/a/c", 6, &mut ()).expect("deleted");
    tree.delete_node("/a", 7, &mut ()).expect("deleted");
    assert_eq!(tree.delete_node("/a", 8, &mut ()), Err(ErrorCode::NoNode));
    assert_ne!(tree.digest(), before, "the root has changed");
    assert_eq!(tree.approximate_data_size(), 44);
    assert_eq!(tree.acls().len(), 1);
}

#[test]
fn children_from_a_later_time_go_with_their_parent() {
    let mut tree = DataTree::new(false);
    for (zxid, path) in ["/a", "/a/b", "/a/b/c", "/a/d"].iter().enumerate() {
        create(&mut tree, path, b"", 5, zxid as i64 + 1).expect("created");
    }
    tree.delete_node("/a", 9, &mut ()).expect("deleted");
    assert_eq!((tree.node_count(), tree.approximate_data_size(), tree.ephemeral_count()), (5, 44, 0));
    create(&mut tree, "/a", b"", 0, 10).expect("created");
    create(&mut tree, "/a/d", b"", 0, 11).expect("created");
    assert_eq!(tree.get("/a").expect("there").children().collect::<Vec<_>>(), ["d"]);
}

#[test]
fn null_and_empty_data_differ() {
    let mut tree = DataTree::new(false);
    create(&mut tree, "/a", b"", 0, 1).expect("created");
    tree.set_data("/a", None, 1, 2, 5, &mut ()).expect("set");
    assert_eq!(tree.get("/a").expect("there").data(), None);
    tree.set_data("/a", Some(b""), 2, 3, 5, &mut ()).expect("set");
    assert_eq!(tree.get("/a").expect("there").data(), Some(&b""[..]));
}

#[test]
fn quotas_count() {
    let mut tree = DataTree::new(false);
    create(&mut tree, "/a", b"123", 0, 1).expect("created");
    create(&mut tree, "/zookeeper/quota/a", b"", 0, 2).expect("created");
    create(&mut tree, "/zookeeper/quota/a/zookeeper_limits", b"count=5,bytes=-1", 0, 3).expect("created");
    create(&mut tree, "/zookeeper/quota/a/zookeeper_stats", b"", 0, 4).expect("created");
    create(&mut tree, "/a/b", b"4567", 0, 5).expect("created");
    tree.set_data("/a/b", Some(b"4"), 1, 6, 0, &mut ()).expect("set");
    let stats = tree.get("/zookeeper/quota/a/zookeeper_stats").expect("there");
    assert_eq!(stats.data(), Some(&b"count=2,bytes=4"[..]));
    assert_eq!(tree.quota_path("/a/b/c"), Some("/a"));
    assert_eq!(tree.quota_path("/ab"), None);
}

#[test]
fn a_node_takes_40_bytes() {
    assert_eq!((size_of::<Option<Node>>(), size_of::<Extra>()), (40, 56));
}

#[test]
fn nothing_that_can_be_seen_depends_on_the_seed() {
    let tree = |name_seed: u64| {
        let mut tree = DataTree::new(TreeOptions { extended_types: false, name_seed });
        create(&mut tree, "/many", b"", 0, 1).expect("created");
        for n in 0..6_000 {
            create(&mut tree, &format!("/many/{n}"), b"x", n % 5, n + 2).expect("created");
        }
        for n in (0..6_000).step_by(3) {
            tree.delete_node(&format!("/many/{n}"), 7_000 + n, &mut ()).expect("deleted");
        }
        // What is free is taken again, in whatever order it became so.
        for n in 0..100 {
            create(&mut tree, &format!("/other{n}"), b"", 0, 20_000 + n).expect("created");
        }
        tree
    };
    let (one, two) = (tree(1), tree(2));
    let tables = [&one, &two].map(|tree| tree.children(tree.find("/many").expect("there")).iter().copied().collect());
    let [first, second]: [Vec<NodeId>; 2] = tables;
    assert_ne!(first, second, "the seed has no effect");
    assert_eq!(one.digest(), two.digest());
    let of = |tree: &DataTree, path: &str| {
        let node = tree.get(path).expect("there");
        (node.stat(), node.children().map(str::to_owned).collect::<Vec<_>>())
    };
    for path in ["/", "/many", "/other7"] {
        assert_eq!(of(&one, path), of(&two, path));
    }
    assert_eq!(of(&one, "/many").1[..3], ["1", "2", "4"], "in the order of their creation");
    for session in 0..5 {
        assert!(one.ephemerals(session).eq(two.ephemerals(session)));
    }
    // Nor does a snapshot's order.
    let bytes = [one, two].map(|tree| {
        let (database, mut bytes) = (crate::database::Database::with_tree(tree), Vec::new());
        let mut writer = crate::snapshot::SnapshotWriter::new();
        while !writer.step(&database, 1 << 20, &mut bytes) {}
        bytes
    });
    assert!(bytes[0] == bytes[1]);
}
