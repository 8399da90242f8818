#!/usr/bin/env python3
"""Asks a real ZooKeeper 3.9.5 and writes down every frame, for tests/conversation.rs.

usage: capture.py HOST PORT > conversation.txt

The server must be new (its zxids start at 1) and have these settings beside its ports and dataDir:
extendedTypesEnabled=true, enforceQuota=true, preAllocSize=16,
DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=

Lines: `open C`, `> C HEX` (a frame sent), `< C HEX` (a frame received), `closed C` (the server closed), `shut C` (the client closed), `# …`.
Times become 0, session ids 0x5e5510000000000C, passwords 16 bytes of 0x70.
"""
import socket, struct, sys, time

HOST, PORT = sys.argv[1], int(sys.argv[2])
START = int(time.time() * 1000) - 5000
sessions, passwords = {}, {}

def i32(v): return struct.pack(">i", v)
def i64(v): return struct.pack(">q", v)
def buf(b): return i32(-1) if b is None else i32(len(b)) + b
def s(t): return buf(None if t is None else t.encode())
def vec(items): return i32(len(items)) + b"".join(items)
def b(v): return b"\1" if v else b"\0"
def acl(*entries): return vec([i32(p) + s(sch) + s(i) for p, sch, i in entries])
OPEN = acl((31, "world", "anyone"))

def mask(frame):
    now = int(time.time() * 1000) + 5000
    out, at = bytearray(frame), 0
    for sid, c in sessions.items():
        out = bytearray(bytes(out).replace(i64(sid), i64(0x5e55100000000000 + c)))
    for pw in passwords:
        out = bytearray(bytes(out).replace(pw, b"p" * 16))
    while at + 8 <= len(out):
        v = struct.unpack_from(">q", out, at)[0]
        if START <= v <= now:
            out[at:at + 8] = bytes(8); at += 8
        else:
            at += 1
    return bytes(out).hex()

class Conn:
    count = 0
    def __init__(self, session=None, timeout=10000, read_only=True, zxid=0, passwd=None):
        Conn.count += 1
        self.n, self.xid = Conn.count, 0
        self.k = socket.create_connection((HOST, PORT)); self.k.settimeout(10)
        print("open", self.n)
        sid, pw = session or (0, bytes(16))
        body = i32(0) + i64(zxid) + i32(timeout) + i64(sid) + buf(passwd or pw) + (b"\0" if read_only else b"")
        self.send(body)
        r = self.recv(hold=True)
        if r is not None:
            _, to, sid = struct.unpack_from(">iiq", r)
            if sid: sessions.setdefault(sid, self.n); passwords[r[20:36]] = 1
            self.session = (sid, r[20:36])
            print("<", self.n, mask(r))
        self.timeout = timeout
    def send(self, body):
        print(">", self.n, mask(body)); self.k.sendall(i32(len(body)) + body)
    def exact(self, n):
        out = b""
        while len(out) < n:
            part = self.k.recv(n - len(out))
            if not part: return None
            out += part
        return out
    def recv(self, hold=False):
        try: head = self.exact(4)
        except ConnectionResetError: head = None
        if head is None:
            print("closed", self.n); return None
        frame = self.exact(struct.unpack(">i", head)[0])
        if not hold: print("<", self.n, mask(frame))
        return frame
    def ask(self, op, body=b"", xid=None):
        if xid is None: self.xid += 1; xid = self.xid
        self.send(i32(xid) + i32(op) + body)
        while True:
            r = self.recv()
            if r is None or struct.unpack_from(">i", r)[0] == xid: return r
    def shut(self):
        self.k.close(); print("shut", self.n)
    def create(self, path, data=b"", a=OPEN, flags=0, op=1, ttl=None):
        return self.ask(op, s(path) + buf(data) + a + i32(flags) + (b"" if ttl is None else i64(ttl)))
    def delete(self, path, v=-1): return self.ask(2, s(path) + i32(v))
    def exists(self, path, w=False): return self.ask(3, s(path) + b(w))
    def get(self, path, w=False): return self.ask(4, s(path) + b(w))
    def set(self, path, data, v=-1): return self.ask(5, s(path) + buf(data) + i32(v))
    def get_acl(self, path): return self.ask(6, s(path))
    def set_acl(self, path, a, v=-1): return self.ask(7, s(path) + a + i32(v))
    def ls(self, path, w=False): return self.ask(8, s(path) + b(w))
    def ls2(self, path, w=False): return self.ask(12, s(path) + b(w))
    def ping(self): return self.ask(11, xid=-2)
    def auth(self, scheme, data): return self.ask(100, i32(0) + s(scheme) + buf(data), xid=-4)
    def multi(self, *ops, op=14):
        return self.ask(op, b"".join(i32(t) + b"\0" + i32(-1) + body for t, body in ops) + i32(-1) + b"\1" + i32(-1))

def op_create(path, data=b"", flags=0, a=OPEN): return (1, s(path) + buf(data) + a + i32(flags))
def op_create2(path, data=b"", flags=0, a=OPEN): return (15, s(path) + buf(data) + a + i32(flags))
def op_delete(path, v=-1): return (2, s(path) + i32(v))
def op_set(path, data, v=-1): return (5, s(path) + buf(data) + i32(v))
def op_check(path, v): return (13, s(path) + i32(v))
def op_get(path): return (4, s(path) + b"\0")
def op_ls(path): return (8, s(path) + b"\0")

def note(t): print("#", t)

note("creating, reading, setting, deleting")
c = Conn()
c.create("/a", b"one"); c.create("/a", b"again"); c.create("/a/b", None); c.create("/a/b/c/d", b"x")
c.create("/a/s-", b"", flags=2); c.create("/a/s-", b"", flags=2); c.create("/a/e", b"eph", flags=1); c.create("/a/e/x", b"", flags=0)
c.create("/a/es", b"", flags=3, op=15); c.create("/c2", b"two", op=15)
c.create("a", b""); c.create("", b""); c.create("/", b""); c.create("/x/", b""); c.create("/x//y", b""); c.create("/..", b""); c.create("/x\0", b"")
c.create("/bad\u0001", b""); c.create("/bad", b"", flags=9); c.create("/bad", b"", a=vec([])); c.create("/bad", b"", a=i32(-1))
c.create("/bad", b"", a=acl((31, "nobody", "x"))); c.create("/bad", b"", a=acl((31, "auth", ""))); c.create("/bad", b"", a=acl((31, "ip", "300.1.1.1")))
c.get("/a"); c.get("/a/b"); c.get("/none"); c.get(""); c.exists("/a"); c.exists("/none"); c.exists("/\0"); c.ls("/a/b"); c.ls2("/a/b"); c.ls("/none"); c.get("/a/e")
c.set("/a", b"three", 0); c.set("/a", b"four", 0); c.set("/a", None, -1); c.set("/none", b""); c.set("/a/", b""); c.set("/", b"root"); c.get("/")
c.delete("/a"); c.delete("/a/b", 5); c.delete("/a/b", 0); c.delete("/none"); c.delete("/"); c.delete("/zookeeper"); c.delete("/zookeeper/config"); c.delete("a"); c.delete("/a/none")
c.get("/a"); c.ask(9, s("/a")); c.ping(); c.ask(103, s("/")); c.ask(103, s("/zzz")); c.ask(104, s("/zookeeper")); c.ask(104, s("/none")); c.ask(104, s("/c2"))
c.get("/zookeeper/config"); c.exists("/zookeeper"); c.exists("/zookeeper/quota"); c.get_acl("/zookeeper/config")
note("containers and nodes with a time to live")
c.create("/cont", b"k", flags=4, op=19); c.create("/cont/x", b"", op=15); c.create("/ttl", b"t", flags=5, op=21, ttl=100000)
c.create("/ttl-", b"t", flags=6, op=21, ttl=100000); c.create("/ttl3", b"t", flags=5, op=21, ttl=0); c.create("/ttl3", b"t", flags=0, op=21, ttl=5)
c.exists("/cont"); c.exists("/ttl"); c.ask(20, s("/cont")); c.ask(20, s("/a")); c.delete("/cont/x"); c.exists("/cont"); c.ask(20, s("/cont"))
note("access control")
c.get_acl("/a"); c.get_acl("/none"); c.ask(107)
c.auth("digest", b"u:pw"); c.ask(107); c.create("/mine", b"secret", a=acl((31, "auth", ""))); c.get_acl("/mine")
c.create("/both", b"", a=acl((1, "world", "anyone"), (31, "auth", ""), (1, "world", "anyone")))
d = Conn(timeout=4000)
d.get("/mine"); d.exists("/mine"); d.ls("/mine"); d.set("/mine", b"x"); d.delete("/mine/x"); d.create("/mine/x"); d.get_acl("/mine"); d.get_acl("/both"); d.set_acl("/mine", OPEN); d.ls("/both"); d.set("/both", b"")
c.set_acl("/mine", acl((31, "auth", "")), 5); c.set_acl("/mine", OPEN, 0); d.get_acl("/mine"); d.get("/mine")
c.set_acl("/mine", acl((1, "ip", "127.0.0.0/8"), (16, "digest", "u:" + "x" * 28))); d.get("/mine"); d.set("/mine", b""); d.get_acl("/mine"); c.set_acl("/none", OPEN); c.set_acl("/mine", vec([]))
d.auth("digest", b"super:test"); d.set("/mine", b"super"); d.get_acl("/mine"); d.ask(107)
f = Conn(); f.auth("kerberos", b""); f.recv()
f = Conn(); f.auth("ip", b""); f.ask(107); f.ask(102, buf(b"token")); f.ping()
note("multi")
c.multi(op_create("/m", b"1"), op_create2("/m/x", b"2"), op_set("/m", b"3", 0), op_check("/m", 1), op_delete("/m/x"), op_create("/m/s", b"", 2), op_create("/m/e", b"", 1))
c.multi(op_create("/m/y"), op_delete("/none"), op_create("/m/z")); c.exists("/m/y"); c.multi(); c.multi(op_check("/m", 9)); c.multi(op_check("/none", -1)); c.multi(op_check("/m", 1))
c.multi(op_create("/m2"), op_create("/m2/a"), op_delete("/m2/a"), op_delete("/m2")); c.multi(op_delete("/m2"), op_create("/m2")); c.multi(op_create("/q", a=vec([])))
c.multi(op_get("/m"), op_ls("/m2"), op_get("/none"), op_ls("/cont"), op=22); c.multi(op_get("/m"), op_set("/m", b""), op=22); c.multi(op_get("/m")); c.multi((99, b""))
c.ask(14, b"\0\0"); c.get("/m"); c.ls2("/m2")
note("watches")
w = Conn()
w.get("/a", True); w.exists("/later", True); w.ls("/c2", True); w.exists("/a", True)
c.set("/a", b"w1"); c.set("/a", b"w2"); c.create("/later"); c.create("/c2/k"); c.create("/c2/k2"); w.ping()
w.get("/c2", True); w.ls("/c2", True); w.get("/c2/k2", True); c.delete("/c2/k"); c.delete("/c2/k2"); c.delete("/c2"); w.ping()
w.ask(106, s("/p") + i32(0)); w.ask(106, s("/r") + i32(1)); w.ask(106, s("/r") + i32(7))
c.create("/p"); c.create("/p/1"); c.set("/p", b"1"); c.delete("/p/1"); c.delete("/p"); c.create("/r"); c.create("/r/1"); c.create("/r/1/2"); c.set("/r/1/2", b""); c.delete("/r/1/2"); w.ping()
for t in (1, 2, 3, 4, 5, 9): w.ask(17, s("/p") + i32(t)); w.ask(17, s("/r") + i32(t))
w.ask(18, s("/p") + i32(1)); w.ask(18, s("/p") + i32(4)); w.ask(18, s("/p") + i32(3)); w.ask(18, s("/r") + i32(5)); w.ask(17, s("/none") + i32(3)); w.ask(18, s("/none") + i32(3))
w.get("/a", True); w.ask(18, s("/a") + i32(2)); c.set("/a", b"w3"); w.ping()
d.get("/mine", True); w.exists("/mine", True); c.set("/r", b"r"); d.set("/mine", b"seen by those who may read"); w.ping(); d.ping()
w.ls("/", True); w.ask(101, i64(0) + vec([s("/a"), s("/gone")]) + vec([s("/a"), s("/never")]) + vec([s("/a"), s("/gone2")]), xid=-8)
w.ask(105, i64(10000) + vec([s("/a")]) + vec([s("/never")]) + vec([s("/a")]) + vec([s("/p")]) + vec([s("/r")]), xid=-8)
c.set("/a", b"w4"); c.create("/a/new"); c.create("/never"); c.create("/p"); c.create("/r/9"); w.ping()
note("quotas")
d.create("/quota", b"12345"); d.create("/zookeeper/quota/quota"); d.create("/zookeeper/quota/quota/zookeeper_limits", b"count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=3")
d.create("/zookeeper/quota/quota/zookeeper_stats", b""); d.get("/zookeeper/quota/quota/zookeeper_stats")
d.create("/quota/1", b"1234567890"); d.create("/quota/2", b"123456"); d.set("/quota/1", b"1234567890123456"); d.create("/quota/2", b"1"); d.create("/quota/3", b""); d.delete("/quota/1")
d.get("/zookeeper/quota/quota/zookeeper_stats"); d.exists("/zookeeper/quota/quota/zookeeper_stats")
note("reconfig, unknown operations, broken requests")
c.ask(16, s(None) + s("3") + s(None) + i64(-1))
f.ask(4, b"\0\0"); f.ask(1, s("/x")); f.ask(5, i32(1000) + b"x"); f.ask(13, s("/a") + i32(-1)); f.recv()
f = Conn(); f.ask(55); f.recv()
f = Conn(); f.ask(0); f.recv()
note("sessions")
f = Conn(read_only=False, timeout=100); f.ping()
f = Conn(timeout=999999); f.create("/eph1", b"", flags=1); f.ask(103, s(None))
g = Conn(session=f.session, timeout=5000); g.ask(103, s("/"));
h = Conn(); h.shut(); time.sleep(0.2); f = Conn(session=h.session, passwd=b"x" * 16); f.recv()
g.ping(); g.ask(-11); g.recv(); c.exists("/eph1")
g = Conn(session=g.session); g.recv()
f = Conn(zxid=1 << 40)
w.ask(-11); w.recv()
c.delete("/ttl"); c.ls2("/zookeeper")
