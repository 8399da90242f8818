use super::*;

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
