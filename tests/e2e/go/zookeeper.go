package main

import (
	"net"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

type quiet struct{}

func (quiet) Printf(string, ...any) {}

func zookeeper(address, name string) {
	var mutex sync.Mutex
	var socket net.Conn
	dial := func(network, address string, timeout time.Duration) (net.Conn, error) {
		conn, err := net.DialTimeout(network, address, timeout)
		mutex.Lock()
		defer mutex.Unlock()
		socket = conn
		return conn, err
	}
	a, _, err := zk.Connect([]string{address}, 10*time.Second, zk.WithDialer(dial), zk.WithLogger(quiet{}))
	must(err, "connect")
	defer a.Close()
	b, _, err := zk.Connect([]string{address}, 10*time.Second, zk.WithLogger(quiet{}))
	must(err, "connect")

	root, open := "/"+name, zk.WorldACL(zk.PermAll)
	want(value(a.Create(root, []byte("1"), 0, open)), root, "created path")
	_, err = a.Create(root, nil, 0, open)
	want(err, zk.ErrNodeExists, "a second create")
	want(value(a.Set(root, []byte("2"), 0)).Version, 1, "version after a set")
	_, err = a.Set(root, nil, 0)
	want(err, zk.ErrBadVersion, "a set of an old version")
	want(value(a.Create(root+"/s-", nil, zk.FlagSequence, open)), root+"/s-0000000000", "sequential path")
	value(a.CreateContainer(root+"/c", nil, zk.FlagContainer, open))

	// All or nothing
	_, err = a.Multi(&zk.CreateRequest{Path: root + "/m", Acl: open}, &zk.DeleteRequest{Path: root + "/none", Version: -1})
	want(err, zk.ErrNoNode, "a multi that can't be")
	exists, _, err := a.Exists(root + "/m")
	want(exists, false, "what the multi left")
	must(err, "exists")
	results, err := a.Multi(&zk.CreateRequest{Path: root + "/m", Acl: open}, &zk.SetDataRequest{Path: root + "/m", Data: []byte("x"), Version: 0},
		&zk.CheckVersionRequest{Path: root + "/m", Version: 1})
	must(err, "multi")
	want(results[1].Stat.Version, 1, "version in a multi")

	// Watches and an ephemeral node outlive their connection, not their session.
	value(b.Create(root+"/e", nil, zk.FlagEphemeral, open))
	_, _, gone, err := a.ExistsW(root + "/e")
	must(err, "ExistsW")
	_, _, children, err := a.ChildrenW(root + "/m")
	must(err, "ChildrenW")
	session := a.SessionID()
	mutex.Lock()
	socket.Close()
	mutex.Unlock()
	value(b.Create(root+"/m/child", nil, 0, open))
	want(fired(children), zk.EventNodeChildrenChanged, "watch of children")
	b.Close()
	want(fired(gone), zk.EventNodeDeleted, "watch of an ephemeral node")
	want(a.SessionID(), session, "session after a new connection")

	// Locks and ACLs
	c, _, err := zk.Connect([]string{address}, 10*time.Second, zk.WithLogger(quiet{}))
	must(err, "connect")
	defer c.Close()
	first, second := zk.NewLock(a, root+"/lock", open), zk.NewLock(c, root+"/lock", open)
	must(first.Lock(), "lock")
	locked := make(chan error, 1)
	go func() { locked <- second.Lock() }()
	select {
	case <-locked:
		panic("two hold the lock")
	case <-time.After(200 * time.Millisecond):
	}
	must(first.Unlock(), "unlock")
	must(<-locked, "the second's lock")
	must(a.AddAuth("digest", []byte("user:password")), "AddAuth")
	value(a.Create(root+"/private", []byte("p"), 0, zk.DigestACL(zk.PermAll, "user", "password")))
	_, _, err = c.Get(root + "/private")
	want(err, zk.ErrNoAuth, "a stranger's get")
	must(c.AddAuth("digest", []byte("user:password")), "AddAuth")
	value(c.Set(root+"/private", nil, 0))
	value(a.Sync(root))
}

func fired(events <-chan zk.Event) zk.EventType {
	select {
	case event := <-events:
		return event.Type
	case <-time.After(15 * time.Second):
		return zk.EventSession
	}
}
