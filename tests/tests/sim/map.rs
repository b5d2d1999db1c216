//! The map of the world: who is there, under which names, and what a stranger tries.

use super::peer::Temper;

/// Takes strangers' mail for a.test and lmtp.test, relays for its own network, by MX.
pub const ALPHA: &str = r#"
hostname = "mx.a.test"
data = "/data"
default_route = { tls = "never" }
relay = { networks = ["10.1.0.0/24", "10.0.0.3/32"] }
listener = [{ address = "10.0.0.1:25", role = "mx", tls = "none", advertise = ["FUTURERELEASE"] }]
domains = { "a.test" = {}, "lmtp.test" = { kind = "lmtp", next_hop = "10.0.5.10:25" } }
spool = { reserve = "1MiB", segment_size = "1MiB" }
evidence = { size_max = "8MiB" }
"#;

/// Relays for c.test and for the network of clients.
pub const BETA: &str = r#"
hostname = "mx.beta.test"
data = "/data"
default_route = { tls = "never" }
relay = { networks = ["10.1.0.0/24", "10.0.0.1/32"] }
listener = [{ address = "10.0.0.2:25", role = "mx", tls = "none" }]
domains = { "c.test" = { kind = "smtp", next_hop = "10.0.0.3:25" } }
spool = { reserve = "1MiB", segment_size = "1MiB" }
evidence = { size_max = "8MiB" }
"#;

/// Has the mailboxes of b.test and c.test.
pub const GAMMA: &str = r#"
hostname = "mx.b.test"
data = "/data"
default_route = { tls = "never", next_hop = "10.0.0.1:25" }
listener = [{ address = "10.0.0.3:25", role = "mx", tls = "none" }]
domains = { "b.test" = {}, "c.test" = {} }
spool = { reserve = "1MiB", segment_size = "1MiB" }
evidence = { size_max = "8MiB" }
"#;

pub const PEERS: [(&str, Temper); 10] = [
    ("good.test", Temper::Good),
    ("plain.test", Temper::Plain),
    ("rude.test", Temper::Rude(70)),
    ("moody.test", Temper::Rude(25)),
    ("never.test", Temper::Never),
    ("busy.test", Temper::Busy),
    ("grey.test", Temper::Grey),
    ("few.test", Temper::Few(2)),
    ("forgetful.test", Temper::Forgetful),
    ("lmtp.test", Temper::Lmtp),
];

pub const NAMES: &str = "
a.test MX 10 mx.a.test
lmtp.test MX 10 mx.a.test
mx.a.test A 10.0.0.1
b.test MX 10 mx.b.test
mx.b.test A 10.0.0.3
c.test MX 10 mx.beta.test
mx.beta.test A 10.0.0.2
dead.test MX 10 mx.dead.test
mx.dead.test A 10.0.3.1
void.test MX 10 mx.void.test
mx.void.test A 10.0.4.1
null.test MX 0 .
fails.test SERVFAIL
slow.test TIMEOUT 10
two.test MX 5 mx.dead.test
two.test MX 10 mx.void.test
two.test MX 20 mx.good.test
";

pub const DOMAINS: [&str; 19] = [
    "a.test",
    "b.test",
    "c.test",
    "good.test",
    "plain.test",
    "rude.test",
    "moody.test",
    "never.test",
    "busy.test",
    "grey.test",
    "few.test",
    "forgetful.test",
    "lmtp.test",
    "dead.test",
    "void.test",
    "null.test",
    "fails.test",
    "two.test",
    "gone.test",
];

/// What a stranger says in RCPT to have a server that takes mail for `ours` send it to `user` at
/// `theirs`: RFC 5321 appendix C (source routes), and what once were ways to other networks.
pub fn trick(number: u32, index: usize, ours: &str, random: &mut fastrand::Rng) -> String {
    let (user, theirs) = (format!("t{number}r{index}"), "good.test");
    match random.u32(..9) {
        0 => format!("{user}@{theirs}"),
        1 => format!("{user}%{theirs}@{ours}"),
        2 => format!("@{ours}:{user}@{theirs}"),
        3 => format!("@{ours},@b.test:{user}@{theirs}"),
        4 => format!("\"{user}@{theirs}\"@{ours}"),
        5 => format!("{theirs}!{user}@{ours}"),
        6 => format!("\"{theirs}!{user}\"@{ours}"),
        7 => format!("{user}%{theirs}@[10.0.0.1]"),
        _ => format!("{user}@[10.0.5.1]"),
    }
}
