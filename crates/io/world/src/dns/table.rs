//! Names by a table, for simulations and tests. Deterministic; asks nobody.
//!
//! The text looks like a zone file. A line is a name, a TTL in seconds (3600 if left out), a type and
//! its data; `;` begins a comment. Names are absolute with or without a final dot.
//!
//! ```text
//! a.test        300 MX     10 mx1.a.test
//! mx1.a.test        A      192.0.2.1
//! mx1.a.test        AAAA   2001:db8::1
//! www.a.test        CNAME  a.test
//! none.test         MX     0 .                  ; a null MX (RFC 7505)
//! a.test            TXT    "v=spf1 mx" " -all"  ; joined to one string
//! 192.0.2.1         PTR    mx1.a.test
//! _25._tcp.mx1.a.test TLSA 3 1 1 0a1b2c         ; digits in hexadecimal
//! broken.test       SERVFAIL                    ; for every type; `SERVFAIL AAAA` for one
//! closed.test       REFUSED                     ; as SERVFAIL
//! forged.test       BOGUS TLSA                  ; as SERVFAIL: the signatures are wrong
//! slow.test         TIMEOUT 10                  ; fails after ten seconds
//! a.test            SIGNED                      ; the name and all below: answers are secure
//! open.a.test       UNSIGNED                    ; but not from here on
//! ```
//!
//! What no `SIGNED` covers is insecure; CNAMEs are as secure as the least of the names on the way.
//!
//! A name that has no line does not exist, unless another one ends in it (an empty non-terminal).

mod line;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    Answer, Dns, DnsError, Failure, Mx, Security, Tlsa,
    real::{ADDRESS, is_localhost, loopback},
};

/// More CNAMEs in a row than that are taken for a loop.
const CHAIN_MAX: usize = 8;

/// Static records, which a test may replace as it goes.
#[derive(Debug, Default)]
pub struct TableDns {
    names: Mutex<BTreeMap<String, Vec<Record>>>,
    by: Option<SocketAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    ttl: Duration,
    data: Data,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Data {
    Mx(Mx),
    Address(IpAddr),
    Cname(String),
    Ptr(String),
    Txt(String),
    Tlsa(Tlsa),
    Fails(Failing),
    /// Whether a signed zone begins here, or ends.
    Signed(bool),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Failing {
    /// `None`: whatever is asked.
    kind: Option<String>,
    after: Duration,
    /// `None`: bogus.
    failure: Option<Failure>,
}

impl Failing {
    fn error(&self, name: String) -> DnsError {
        let Some(failure) = self.failure else {
            return DnsError::Bogus { name, why: "SERVFAIL".into() };
        };
        let why = match failure {
            Failure::ServFail => "SERVFAIL",
            Failure::Refused => "REFUSED",
            Failure::Timeout => "no answer in time",
            Failure::Other => "no answer",
        };
        DnsError::Temporary { name, why: why.into(), failure }
    }
}

/// A line that is no record.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, `{text}`: {why}")]
pub struct NotARecord {
    /// From 1 on.
    pub line: usize,
    /// The line.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl TableDns {
    /// Reads a table.
    ///
    /// # Errors
    /// The first line that is no record.
    pub fn parse(text: &str) -> Result<Self, NotARecord> {
        let table = Self::default();
        table.add(text)?;
        Ok(table)
    }

    /// Reads a table from a file.
    ///
    /// # Errors
    /// If the file cannot be read, or has a line that is no record (`InvalidData`).
    pub fn open(path: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        Self::parse(&text).map_err(|error| {
            let text = format!("{}: {error}", path.display());
            io::Error::new(io::ErrorKind::InvalidData, text)
        })
    }

    /// Lets answers say that this server gave them.
    #[must_use]
    pub fn answered_by(mut self, server: SocketAddr) -> Self {
        self.by = Some(server);
        self
    }

    /// Adds records.
    ///
    /// # Errors
    /// The first line that is no record; then none is added.
    pub fn add(&self, text: &str) -> Result<(), NotARecord> {
        let mut records = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let content = line::without_comment(line).trim();
            if content.is_empty() {
                continue;
            }
            records.push(line::record(content).map_err(|why| NotARecord {
                line: index + 1,
                text: content.into(),
                why,
            })?);
        }
        let mut names = self.held_names();
        for (name, record) in records {
            names.entry(name).or_default().push(record);
        }
        Ok(())
    }

    /// Takes away all that is known of a name.
    pub fn remove(&self, name: &str) {
        self.held_names().remove(&line::canonical(name));
    }

    fn held_names(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Record>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask<T>(
        &self,
        asked: &str,
        kinds: &[&str],
        called: &'static str,
        read: impl Fn(&Data) -> Option<T>,
    ) -> Result<Answer<T>, DnsError> {
        let asked = line::canonical(asked);
        let mut name = asked.clone();
        let mut ttl = Duration::MAX;
        let mut security = Security::Secure;
        for _ in 0..CHAIN_MAX {
            let held = self.held(&name, &asked)?;
            let is_asked = |kind: &str| kinds.contains(&kind);
            if let Some(failing) = failing(&held, is_asked) {
                tokio::time::sleep(failing.after).await;
                return Err(failing.error(asked));
            }
            security = security.min(self.security(&name));
            let target = held.iter().find_map(alias).filter(|_| !is_asked("CNAME"));
            if let Some((target, its)) = target {
                ttl = ttl.min(its);
                name = target;
                continue;
            }
            let found: Vec<_> =
                held.iter().filter_map(|r| read(&r.data).map(|data| (data, r.ttl))).collect();
            let Some(shortest) = found.iter().map(|(_, ttl)| *ttl).min() else {
                return Err(DnsError::NoRecords(asked, called));
            };
            return Ok(Answer {
                records: found.into_iter().map(|(data, _)| data).collect(),
                ttl: ttl.min(shortest),
                canonical: (name != asked).then_some(name),
                by: self.by,
                security,
            });
        }
        let why = format!("more than {CHAIN_MAX} CNAMEs in a row");
        Err(DnsError::Temporary { name: asked, why, failure: Failure::Other })
    }

    /// What the nearest `SIGNED` or `UNSIGNED` at or above a name says.
    fn security(&self, name: &str) -> Security {
        let names = self.held_names();
        let mut above = Some(name);
        while let Some(zone) = above {
            let signed =
                names.get(zone).into_iter().flatten().find_map(|record| match record.data {
                    Data::Signed(signed) => Some(signed),
                    _ => None,
                });
            if let Some(signed) = signed {
                return if signed { Security::Secure } else { Security::Insecure };
            }
            above = zone.split_once('.').map(|(_, rest)| rest);
        }
        Security::Insecure
    }

    /// The records of a name; none for an empty non-terminal.
    fn held(&self, name: &str, asked: &str) -> Result<Vec<Record>, DnsError> {
        let names = self.held_names();
        if let Some(records) = names.get(name) {
            return Ok(records.clone());
        }
        let under = format!(".{name}");
        if names.keys().any(|other| other.ends_with(&under)) {
            return Ok(Vec::new());
        }
        Err(DnsError::NoSuchName(asked.into()))
    }
}

#[async_trait]
impl Dns for TableDns {
    async fn mx(&self, domain: &str) -> Result<Answer<Mx>, DnsError> {
        let read = |data: &Data| match data {
            Data::Mx(mx) => Some(mx.clone()),
            _ => None,
        };
        self.ask(domain, &["MX"], "MX", read).await
    }

    async fn addresses(&self, host: &str) -> Result<Answer<IpAddr>, DnsError> {
        if is_localhost(host) {
            return Ok(loopback());
        }
        if host.parse::<IpAddr>().is_ok() {
            return Err(DnsError::NoSuchName(host.into()));
        }
        let read = |data: &Data| match data {
            Data::Address(address) => Some(*address),
            _ => None,
        };
        self.ask(host, &["A", "AAAA"], ADDRESS, read).await
    }

    async fn ipv4(&self, name: &str) -> Result<Answer<Ipv4Addr>, DnsError> {
        let read = |data: &Data| match data {
            Data::Address(IpAddr::V4(address)) => Some(*address),
            _ => None,
        };
        self.ask(name, &["A"], "A", read).await
    }

    async fn names(&self, address: IpAddr) -> Result<Answer<String>, DnsError> {
        let read = |data: &Data| match data {
            Data::Ptr(name) => Some(name.clone()),
            _ => None,
        };
        self.ask(&address.to_string(), &["PTR"], "PTR", read).await
    }

    async fn texts(&self, name: &str) -> Result<Answer<String>, DnsError> {
        let read = |data: &Data| match data {
            Data::Txt(text) => Some(text.clone()),
            _ => None,
        };
        self.ask(name, &["TXT"], "TXT", read).await
    }

    async fn tlsa(&self, name: &str) -> Result<Answer<Tlsa>, DnsError> {
        let read = |data: &Data| match data {
            Data::Tlsa(record) => Some(record.clone()),
            _ => None,
        };
        self.ask(name, &["TLSA"], "TLSA", read).await
    }

    async fn alias(&self, name: &str) -> Result<Answer<String>, DnsError> {
        let read = |data: &Data| match data {
            Data::Cname(target) => Some(target.clone()),
            _ => None,
        };
        self.ask(name, &["CNAME"], "CNAME", read).await
    }
}

/// The failure of a question, unless it is for one of two address types and the other answers.
fn failing(held: &[Record], is_asked: impl Fn(&str) -> bool) -> Option<&Failing> {
    let has_address = held.iter().any(|record| matches!(record.data, Data::Address(_)));
    held.iter().find_map(|record| match &record.data {
        Data::Fails(failing) => match failing.kind.as_deref() {
            None => Some(failing),
            Some("A" | "AAAA") if has_address => None,
            Some(kind) => is_asked(kind).then_some(failing),
        },
        _ => None,
    })
}

fn alias(record: &Record) -> Option<(String, Duration)> {
    match &record.data {
        Data::Cname(target) => Some((target.clone(), record.ttl)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = "
        ; comment
        a.test.   300 MX  10 mx1.a.test.
        A.test        MX  20 mx2.a.test   ; second
        mx1.a.test 60 A   192.0.2.1
        mx1.a.test 30 AAAA 2001:db8::1
        www.test  100 CNAME web.test
        web.test   50 CNAME mx1.a.test
        loop.test     CNAME loop.test
        none.test     MX  0 .
        a.test        TXT \"v=spf1 mx\" \"; -all\"
        192.0.2.1     PTR mx1.a.test
        broken.test   SERVFAIL
        half.test     A 192.0.2.2
        half.test     SERVFAIL MX
        lame.test     A 192.0.2.3
        lame.test     SERVFAIL AAAA
        slow.test     TIMEOUT 10
        closed.test   REFUSED
        forged.test   TXT kept
        forged.test   BOGUS A
        sec.test      SIGNED
        mx.sec.test   A 192.0.2.9
        _25._tcp.mx.sec.test TLSA 3 1 1 00FF
        out.sec.test  CNAME mx1.a.test
        open.sec.test UNSIGNED
        open.sec.test A 192.0.2.8
        into.a.test   CNAME mx.sec.test
    ";

    #[tokio::test]
    async fn what_each_question_gets() {
        let table = TableDns::parse(ZONE).unwrap();
        let rows = [
            // (type, name, what comes, ttl, canonical)
            ("MX", "a.test", "10 mx1.a.test,20 mx2.a.test", 300, None),
            ("MX", "A.TEST", "10 mx1.a.test,20 mx2.a.test", 300, None),
            ("MX", "none.test", "0 ", 3600, None),
            ("A", "mx1.a.test", "192.0.2.1,2001:db8::1", 30, None),
            ("A", "www.test", "192.0.2.1,2001:db8::1", 30, Some("mx1.a.test")),
            ("TXT", "a.test", "v=spf1 mx; -all", 3600, None),
            ("A", "half.test", "192.0.2.2", 3600, None),
            ("A", "lame.test", "192.0.2.3", 3600, None),
            ("A", "localhost", "127.0.0.1,::1", 86_400, None),
            ("PTR", "192.0.2.1", "mx1.a.test", 3600, None),
            ("A4", "mx1.a.test", "192.0.2.1", 60, None),
            ("A4", "www.test", "192.0.2.1", 50, Some("mx1.a.test")),
            ("TLSA", "_25._tcp.mx.sec.test", "3 1 1 00ff", 3600, None),
            ("CNAME", "www.test", "web.test", 100, None),
            ("TXT", "forged.test", "kept", 3600, None),
        ];
        for (kind, name, wanted, ttl, canonical) in rows {
            let got = ask(&table, kind, name).await.unwrap();
            assert_eq!(got.records.join(","), wanted, "{kind} {name}");
            assert_eq!(got.ttl.as_secs(), ttl, "{kind} {name}");
            assert_eq!(got.canonical.as_deref(), canonical, "{kind} {name}");
        }
    }

    #[tokio::test]
    async fn what_is_secure() {
        let table = TableDns::parse(ZONE).unwrap();
        for (kind, name, wanted) in [
            ("A", "mx.sec.test", Security::Secure),
            ("TLSA", "_25._tcp.mx.sec.test", Security::Secure),
            ("A", "open.sec.test", Security::Insecure),
            ("A", "out.sec.test", Security::Insecure), // leads out of the signed zone
            ("CNAME", "out.sec.test", Security::Secure), // though the alias itself is in it
            ("A", "into.a.test", Security::Insecure),  // anybody can forge the alias
            ("A", "mx1.a.test", Security::Insecure),
            ("A", "localhost", Security::Indeterminate),
        ] {
            assert_eq!(ask(&table, kind, name).await.unwrap().security, wanted, "{kind} {name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_there_and_what_fails() {
        let table = TableDns::parse(ZONE).unwrap();
        let rows = [
            ("MX", "mx1.a.test", "`mx1.a.test` has no MX record"),
            ("MX", "www.test", "`www.test` has no MX record"),
            ("MX", "nowhere.test", "`nowhere.test` does not exist"),
            ("A", "test", "`test` has no A or AAAA record"), // an empty non-terminal
            ("A", "192.0.2.1", "`192.0.2.1` does not exist"),
            ("MX", "broken.test", "cannot resolve `broken.test` for now: SERVFAIL"),
            ("MX", "half.test", "cannot resolve `half.test` for now: SERVFAIL"),
            ("A", "loop.test", "cannot resolve `loop.test` for now: more than 8 CNAMEs in a row"),
            ("A", "slow.test", "cannot resolve `slow.test` for now: no answer in time"),
            ("A", "closed.test", "cannot resolve `closed.test` for now: REFUSED"),
            ("CNAME", "mx1.a.test", "`mx1.a.test` has no CNAME record"),
            (
                "A",
                "forged.test",
                "cannot resolve `forged.test` for now: its DNSSEC signatures do not verify (SERVFAIL)",
            ),
        ];
        let start = tokio::time::Instant::now();
        for (kind, name, wanted) in rows {
            let got = ask(&table, kind, name).await.unwrap_err();
            assert_eq!(got.to_string(), wanted, "{kind}");
        }
        assert_eq!(start.elapsed().as_secs(), 10, "only the slow one takes time");
    }

    #[test]
    fn a_bad_line_is_named() {
        let rows = [
            ("a.test", "a type and data are missing"),
            ("a.test MX mx.a.test", "`mx.a.test` is no MX preference (0-65535)"),
            ("a.test A ::1", "`::1` is no such address"),
            ("a.test SRV 1 2 3 x", "`SRV` is none of the types that a table can have"),
            ("a.test CNAME", "a name is missing"),
            ("a.test TXT \"x", "the quotes do not match"),
            ("a.test TLSA 3 1 1 0", "`3 1 1 0` is no TLSA record: write `3 1 1 0a1b...`"),
            ("a.test TLSA 3 1", "`3 1` is no TLSA record: write `3 1 1 0a1b...`"),
            ("a.test TIMEOUT soon", "`soon` is no number of seconds"),
        ];
        for (text, why) in rows {
            let error = TableDns::parse(&format!("b.test A 192.0.2.1\n{text}\n")).unwrap_err();
            assert_eq!((error.line, error.text.as_str(), error.why.as_str()), (2, text, why));
        }
    }

    async fn ask(table: &TableDns, kind: &str, name: &str) -> Result<Answer<String>, DnsError> {
        fn text<T>(answer: Answer<T>, show: impl Fn(T) -> String) -> Answer<String> {
            let Answer { records, ttl, canonical, by, security } = answer;
            let records = records.into_iter().map(show).collect();
            Answer { records, ttl, canonical, by, security }
        }
        Ok(match kind {
            "MX" => text(table.mx(name).await?, |mx| format!("{} {}", mx.preference, mx.exchange)),
            "A" => text(table.addresses(name).await?, |address| address.to_string()),
            "A4" => text(table.ipv4(name).await?, |address| address.to_string()),
            "TLSA" => text(table.tlsa(name).await?, |record| record.to_string()),
            "CNAME" => table.alias(name).await?,
            "PTR" => table.names(name.parse().unwrap()).await?,
            "TXT" => table.texts(name).await?,
            other => panic!("{other}"),
        })
    }
}
