//! Somebody who listens on every wire and looks for what was promised to nobody's eyes: passwords, and
//! contents that may go in TLS only.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use memchr::memmem;
use world::sim::net::{Heard, Listens};

use super::{ledger::Ledger, map::USERS};

/// In the body of each message that somebody may have been promised TLS for, followed by its number.
pub const MARK: &str = "sealed-line-number-";
/// What is looked for may lie across two writes.
const OVERLAP: usize = 96;

/// Hears everything; what should not be heard breaks a promise. `promised` are the hosts that mail goes to
/// in TLS only.
pub fn listens(ledger: Ledger, promised: BTreeMap<IpAddr, &'static str>) -> Listens {
    let secrets: Vec<_> = USERS
        .iter()
        .flat_map(|(name, password, _)| forms(name, password))
        .map(|form| memmem::Finder::new(&form).into_owned())
        .collect();
    let mark = memmem::Finder::new(MARK);
    let ends: Mutex<HashMap<(u64, usize), End>> = Mutex::default();
    Arc::new(move |heard: &Heard<'_>| {
        let mut ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
        let end = ends
            .entry((heard.connection, heard.side))
            .or_insert_with(|| End { began: ledger.now(), last: Vec::new() });
        end.last.extend_from_slice(heard.octets);
        let last = &end.last;
        if let Some(secret) = secrets.iter().find(|form| form.find(last).is_some()) {
            let secret = String::from_utf8_lossy(secret.needle());
            ledger.breaks(format!("`{secret}` was heard on the way {:?}", heard.ends));
        }
        for at in mark.find_iter(last) {
            let rest = &last[at + MARK.len()..];
            let length = rest.iter().position(|octet| !octet.is_ascii_digit());
            // Where one chunk ends in the number, BDAT follows, and it is another message's or nobody's.
            let Some(length) = length.filter(|&length| rest[length] == b'-') else { continue };
            let digits = String::from_utf8_lossy(&rest[..length]);
            let domain = heard.ends[1].ip().and_then(|host| promised.get(&host));
            let by_host = domain.is_some_and(|domain| ledger.is_promised(domain, end.began));
            let number = digits.parse().unwrap_or_default();
            if by_host || ledger.lock().require_tls.contains(&number) {
                ledger.breaks(format!("message {digits} was heard on the way {:?}", heard.ends));
            }
        }
        let over = end.last.len().saturating_sub(OVERLAP);
        end.last.drain(..over);
    })
}

/// What was written last at one end of a connection, and since when anything.
struct End {
    began: u64,
    last: Vec<u8>,
}

/// How a password looks on its way.
fn forms(name: &str, password: &str) -> [Vec<u8>; 3] {
    [
        password.into(),
        STANDARD.encode(password).into(),
        STANDARD.encode(format!("\0{name}\0{password}")).into(),
    ]
}

#[tokio::test(start_paused = true)]
async fn what_is_said_in_two_writes_is_heard() {
    let ledger = Ledger::new(false);
    let guarded = IpAddr::from([10, 0, 6, 1]);
    let listens = listens(ledger.clone(), BTreeMap::from([(guarded, "sealed.test")]));
    let mut connection = 0;
    let mut hears = |host: [u8; 4], octets: &[u8]| {
        connection += 1;
        let end = |ip: [u8; 4]| world::net::Endpoint::Ip((ip, 25).into());
        let ends = [end([10, 0, 0, 4]), end(host)];
        for octets in octets.chunks(7) {
            listens(&Heard { connection, ends: &ends, side: 0, octets });
        }
        ledger.lock().broken.drain(..).count()
    };
    let (name, password, _) = USERS[0];
    let plain = format!("AUTH PLAIN {}\r\n", STANDARD.encode(format!("\0{name}\0{password}")));
    assert!(hears([10, 0, 5, 1], plain.as_bytes()) > 0);
    assert!(hears([10, 0, 5, 1], format!("{}\r\n", STANDARD.encode(password)).as_bytes()) > 0);
    let content = format!("Subject: x\r\n\r\n{MARK}12-\r\ntext");
    assert!(hears([10, 0, 6, 1], content.as_bytes()) > 0);
    assert_eq!(hears([10, 0, 5, 1], content.as_bytes()), 0);
    ledger.lock().require_tls.insert(1);
    assert_eq!(hears([10, 0, 5, 1], content.as_bytes()), 0);
    ledger.lock().require_tls.insert(12);
    assert!(hears([10, 0, 5, 1], content.as_bytes()) > 0);
}
