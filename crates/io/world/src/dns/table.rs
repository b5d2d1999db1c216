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
//! broken.test       SERVFAIL                    ; for every type; `SERVFAIL AAAA` for one
//! slow.test         TIMEOUT 10                  ; fails after ten seconds
//! ```
//!
//! A name that has no line does not exist, unless another one ends in it (an empty non-terminal).

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    Answer, Dns, DnsError, Mx,
    real::{ADDRESS, is_localhost, loopback},
};

const TTL_DEFAULT: Duration = Duration::from_secs(3600);
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
    Fails(Failing),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Failing {
    /// `None`: whatever is asked.
    kind: Option<String>,
    after: Duration,
    why: String,
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
            let content = without_comment(line).trim();
            if content.is_empty() {
                continue;
            }
            records.push(record(content).map_err(|why| NotARecord {
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
        self.held_names().remove(&canonical(name));
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
        let asked = canonical(asked);
        let mut name = asked.clone();
        let mut ttl = Duration::MAX;
        for _ in 0..CHAIN_MAX {
            let held = self.held(&name, &asked)?;
            let is_asked = |kind: &str| kinds.contains(&kind);
            if let Some(failing) = failing(&held, is_asked) {
                tokio::time::sleep(failing.after).await;
                return Err(DnsError::Temporary { name: asked, why: failing.why.clone() });
            }
            if let Some((target, its)) = held.iter().find_map(alias) {
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
            });
        }
        let why = format!("more than {CHAIN_MAX} CNAMEs in a row");
        Err(DnsError::Temporary { name: asked, why })
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

/// Up to the first `;` that is not in quotes.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, letter) in line.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            ';' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn record(line: &str) -> Result<(String, Record), String> {
    let (name, rest) = word(line);
    let (first, after) = word(rest);
    let (ttl, kind, data) = match first.parse() {
        Ok(seconds) => {
            let (kind, data) = word(after);
            (Duration::from_secs(seconds), kind, data)
        }
        Err(_) => (TTL_DEFAULT, first, after),
    };
    let data = match kind.to_ascii_uppercase().as_str() {
        "MX" => mx(data)?,
        "A" => Data::Address(address(data, IpAddr::is_ipv4)?),
        "AAAA" => Data::Address(address(data, IpAddr::is_ipv6)?),
        "CNAME" => Data::Cname(canonical(one(data)?)),
        "PTR" => Data::Ptr(canonical(one(data)?)),
        "TXT" => Data::Txt(text(data)?),
        "SERVFAIL" => {
            let kind = Some(data.to_ascii_uppercase()).filter(|kind| !kind.is_empty());
            Data::Fails(Failing { kind, after: Duration::ZERO, why: "SERVFAIL".into() })
        }
        "TIMEOUT" => {
            let seconds = data.parse().map_err(|_| format!("`{data}` is no number of seconds"))?;
            let after = Duration::from_secs(seconds);
            Data::Fails(Failing { kind: None, after, why: "no answer in time".into() })
        }
        "" => return Err("a type and data are missing".into()),
        other => return Err(format!("`{other}` is none of the types that a table can have")),
    };
    Ok((canonical(name), Record { ttl, data }))
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim()))
}

fn one(data: &str) -> Result<&str, String> {
    match word(data) {
        ("", _) => Err("a name is missing".into()),
        (name, "") => Ok(name),
        (_, more) => Err(format!("`{more}` is too much")),
    }
}

fn mx(data: &str) -> Result<Data, String> {
    let (preference, exchange) = word(data);
    let preference =
        preference.parse().map_err(|_| format!("`{preference}` is no MX preference (0-65535)"))?;
    Ok(Data::Mx(Mx { preference, exchange: canonical(one(exchange)?) }))
}

fn address(data: &str, is_right: impl Fn(&IpAddr) -> bool) -> Result<IpAddr, String> {
    data.parse().ok().filter(is_right).ok_or_else(|| format!("`{data}` is no such address"))
}

/// Quoted strings, joined; or one word without quotes.
fn text(data: &str) -> Result<String, String> {
    if !data.contains('"') {
        return Ok(data.into());
    }
    let parts: Vec<_> = data.split('"').collect();
    // outside, inside, outside, ..., outside
    let is_quoted = parts.len() % 2 == 1 && parts.iter().step_by(2).all(|p| p.trim().is_empty());
    if !is_quoted {
        return Err("the quotes do not match".into());
    }
    Ok(parts.iter().skip(1).step_by(2).copied().collect())
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
        ];
        for (kind, name, wanted, ttl, canonical) in rows {
            let got = ask(&table, kind, name).await.unwrap();
            assert_eq!(got.records.join(","), wanted, "{kind} {name}");
            assert_eq!(got.ttl.as_secs(), ttl, "{kind} {name}");
            assert_eq!(got.canonical.as_deref(), canonical, "{kind} {name}");
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
            ("a.test TIMEOUT soon", "`soon` is no number of seconds"),
        ];
        for (text, why) in rows {
            let error = TableDns::parse(&format!("b.test A 192.0.2.1\n{text}\n")).unwrap_err();
            assert_eq!((error.line, error.text.as_str(), error.why.as_str()), (2, text, why));
        }
    }

    async fn ask(table: &TableDns, kind: &str, name: &str) -> Result<Answer<String>, DnsError> {
        fn text<T>(answer: Answer<T>, show: impl Fn(T) -> String) -> Answer<String> {
            let Answer { records, ttl, canonical, by } = answer;
            Answer { records: records.into_iter().map(show).collect(), ttl, canonical, by }
        }
        Ok(match kind {
            "MX" => text(table.mx(name).await?, |mx| format!("{} {}", mx.preference, mx.exchange)),
            "A" => text(table.addresses(name).await?, |address| address.to_string()),
            "PTR" => table.names(name.parse().unwrap()).await?,
            "TXT" => table.texts(name).await?,
            other => panic!("{other}"),
        })
    }
}
