//! The map of the world: who is there, under which names, and what a stranger tries.

use super::{
    peer::Temper,
    scram,
    tls::{PAPERS, Papers},
};

/// Takes strangers' mail for a.test and lmtp.test, relays for its own network, by MX.
pub const ALPHA: &str = r#"
hostname = "mx.a.test"
data = "/data"
default_route = { tls = "never" }
relay = { networks = ["10.1.0.0/24", "10.0.0.3/32", "10.3.0.1/32"] }
listener = [
    { address = "10.0.0.1:25", role = "mx", tls = "none", advertise = ["FUTURERELEASE"], etrn = ["10.1.0.0/24"] },
    { address = "10.0.0.1:2500", role = "mx", tls = "none", xclient = ["10.3.0.0/24"] },
    { address = "10.0.0.1:2501", role = "mx", tls = "none", proxy_protocol = ["10.3.0.0/24"] },
]
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

/// Has the mailboxes of b.test and c.test; fetches the mail of fetch.test from delta.
pub fn gamma() -> String {
    let folder = PAPERS.folder.display();
    let [.., (user, password, _)] = USERS;
    format!(
        r#"
hostname = "mx.b.test"
data = "/data"
tls = {{ client_ca = "{folder}/ca.pem" }}
default_route = {{ tls = "never", next_hop = "10.0.0.1:25" }}
listener = [{{ address = "10.0.0.3:25", role = "mx", tls = "none" }}]
domains = {{ "b.test" = {{}}, "c.test" = {{}}, "fetch.test" = {{}} }}
spool = {{ reserve = "1MiB", segment_size = "1MiB" }}
evidence = {{ size_max = "8MiB" }}
[[odmr]]
provider = "mx.d.test:366"
auth = {{ user = "{user}", password = "{password}" }}
every = "4h"
"#
    )
}

/// Users of delta: name, password, what is stored of it (argon2 with the least cost). The last one is delta
/// itself at login.test, and gamma at delta.
pub const USERS: [(&str, &str, &str); 3] = [
    (
        "anna@d.test",
        "wire-secret-anna-7Qk2",
        "$argon2id$v=19$m=8,t=1,p=1$wQjd5j+ClC3Etslux+H1yg$XbjUM3mO1GPVuNG1j2tal3XSLfnxVRvqOE4H7RPcWI4",
    ),
    (
        "bert@d.test",
        "wire-secret-bert-9Xw4",
        "$argon2id$v=19$m=8,t=1,p=1$WbGF3n44VmgMg0JiBPkj0A$x9OuZklGmUeF713ojSPPgAvu3rlmkyf0Ddg6kC/zKMs",
    ),
    (
        "delta",
        "wire-secret-gamma-3Lm8",
        "$argon2id$v=19$m=8,t=1,p=1$v3+dmpxib3OH2t+9oP7bug$GiS3Am71Ncy+8NkrR6MFIXhz8Buk3zBs8k1FaajSfFU",
    ),
];

/// Where users submit, and from where mail goes to those who were promised TLS.
pub fn delta() -> String {
    let Papers { folder, .. } = &*PAPERS;
    let folder = folder.display();
    let [(anna, _, annas), (bert, _, berts), (own, password, owns)] = USERS;
    let [anna_scram, bert_scram, own_scram] = USERS.map(|(_, password, _)| scram::stored(password));
    let since: Vec<_> = new_mailboxes().map(|name| format!("{name} = \"2024-01-31\"")).collect();
    let since = since.join(", ");
    format!(
        r#"
hostname = "mx.d.test"
data = "/data"
tls = {{ certificate = "{folder}/cert.pem", key = "{folder}/key.pem", client_ca = "{folder}/ca.pem" }}
listener = [
    {{ address = "10.0.0.4:25", role = "mx" }},
    {{ address = "10.0.0.4:587", role = "submission" }},
    {{ address = "10.0.0.4:465", role = "submission", tls = "implicit" }},
    {{ address = "10.0.0.4:26", role = "relay", networks = ["10.1.0.0/24"], require_tls = true }},
    {{ address = "10.0.0.4:366", role = "submission", advertise = ["ATRN"] }},
]
domains = {{ "d.test" = {{ mailbox_since = {{ {since} }} }}, "fetch.test" = {{ kind = "odmr" }} }}
routes = {{ "sealed.test" = {{ tls = "required" }}, "named.test" = {{ tls = "verified" }}, "login.test" = {{ next_hop = "mx.login.test:25", tls = "verified", auth = {{ user = "{own}", password = "{password}" }} }} }}
spool = {{ reserve = "1MiB", segment_size = "1MiB" }}
evidence = {{ size_max = "8MiB" }}
[users."{anna}"]
password = "{annas}"
scram = ["{anna_scram}"]
reverse_paths = ["@d.test"]
[users."{bert}"]
password = "{berts}"
scram = ["{bert_scram}"]
reverse_paths = ["@d.test"]
[users."{own}"]
password = "{owns}"
scram = ["{own_scram}"]
reverse_paths = ["@delta.invalid"]
odmr = ["fetch.test"]
"#
    )
}

/// The mailboxes of d.test that have another owner since 2024: the first recipient of every third message.
fn new_mailboxes() -> impl Iterator<Item = String> {
    (0..1_000).map(|number| format!("t{}r0", 3 * number))
}

/// Whether that address has.
pub fn is_new(address: &str) -> bool {
    address.strip_suffix("@d.test").is_some_and(|name| new_mailboxes().any(|new| new == name))
}

pub const PEERS: [(&str, Temper); 19] = [
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
    ("sealed.test", Temper::Sealed),
    ("named.test", Temper::Sealed),
    ("login.test", Temper::Login),
    ("sts.test", Temper::Sealed),
    ("dane.test", Temper::Sealed),
    ("mixed.test", Temper::Mixed),
    ("seven.test", Temper::Seven),
    ("limits.test", Temper::Counting),
    ("boxed.test", Temper::Boxed),
];

/// The hosts of peers that our hosts reach by way of somebody in between only, at 10.0.6.x. Whether they
/// prove their names, so that he can do no more than be in the way.
pub const BETWEEN: [(&str, bool); 5] = [
    ("sealed.test", false),
    ("named.test", true),
    ("login.test", true),
    ("sts.test", true),
    ("dane.test", true),
];

/// Where MTA-STS policies are handed out, and the one of sts.test (RFC 8461 section 3.2).
pub const POLICY_HOST: [u8; 4] = [10, 0, 7, 1];
pub const POLICY: &str =
    "version: STSv1\r\nmode: enforce\r\nmx: mx.sts.test\r\nmax_age: 31557600\r\n";

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
d.test MX 10 mx.d.test
fetch.test MX 10 mx.d.test
mx.d.test A 10.0.0.4
_mta-sts.sts.test TXT \"v=STSv1; id=1\"
mta-sts.sts.test A 10.0.7.1
dane.test SIGNED
";

/// Where users' mail goes besides.
pub const GUARDED: [&str; 9] = [
    "sealed.test",
    "named.test",
    "login.test",
    "sts.test",
    "dane.test",
    "mixed.test",
    "seven.test",
    "limits.test",
    "d.test",
];

pub const DOMAINS: [&str; 21] = [
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
    "fetch.test",
    "boxed.test",
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
