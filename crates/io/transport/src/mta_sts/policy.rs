//! What a policy says, and the TXT record that announces it: RFC 8461 sections 3.1 and 3.2. Pure.

use std::time::Duration;

/// A year, the longest that a policy may be kept (section 3.2).
const MAX_AGE_MAX: u64 = 31_557_600;
/// More patterns than that are not read.
const MX_MAX: usize = 100;

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsPolicy {
    /// What is to be done where a host does not fit.
    pub mode: Mode,
    /// Host names, lower case; `*.` in front stands for one label.
    pub mx: Vec<String>,
    /// How long it may be kept after it was fetched.
    pub max_age: Duration,
    /// As it was served, for reports.
    pub lines: Vec<String>,
}

/// How serious the domain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No mail to a host that does not fit.
    Enforce,
    /// Mail goes all the same; it is reported.
    Testing,
    /// As if there were no policy.
    None,
}

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPolicy {
    /// The first line that counts has to be `version: STSv1`.
    #[error("it does not begin with `version: STSv1`")]
    Version,
    /// A field that has to be there is not.
    #[error("it has no `{0}`")]
    Missing(&'static str),
    /// A field has another value than it may.
    #[error("`{name}: {value}` is none of the values that it may have")]
    Value {
        /// Which.
        name: &'static str,
        /// As served, cut short.
        value: String,
    },
}

impl StsPolicy {
    /// Reads what a web server gave. Unknown fields are passed over; of a field given twice the first
    /// counts, but for `mx`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NotAPolicy> {
        let fields: Vec<(&str, &str)> = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        let first = |wanted: &'static str| {
            let found = fields.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| *value).ok_or(NotAPolicy::Missing(wanted))
        };
        if fields.first() != Some(&("version", "STSv1")) && first("version") != Ok("STSv1") {
            return Err(NotAPolicy::Version);
        }
        let mode = match first("mode")? {
            "enforce" => Mode::Enforce,
            "testing" => Mode::Testing,
            "none" => Mode::None,
            other => return Err(wrong("mode", other)),
        };
        let age = first("max_age")?;
        let is_number = !age.is_empty() && age.bytes().all(|octet| octet.is_ascii_digit());
        let seconds: u64 = match is_number {
            // More digits than a number has room for are still "more than a year".
            true => age.parse().unwrap_or(u64::MAX),
            false => return Err(wrong("max_age", age)),
        };
        let mx = mx_patterns(&fields)?;
        if mx.is_empty() && mode != Mode::None {
            return Err(NotAPolicy::Missing("mx"));
        }
        let lines = fields.iter().take(MX_MAX + 20).map(|(name, value)| format!("{name}: {value}"));
        Ok(Self {
            mode,
            mx,
            max_age: Duration::from_secs(seconds.min(MAX_AGE_MAX)),
            lines: lines.collect(),
        })
    }

    /// Whether a host is one of its `mx`: `*.example.org` names `mx.example.org`, neither `example.org`
    /// nor `a.mx.example.org` (section 4.1).
    pub fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => host
                .split_once('.')
                .is_some_and(|(first, rest)| !first.is_empty() && rest == parent),
            None => host == *pattern,
        })
    }
}

fn mx_patterns(fields: &[(&str, &str)]) -> Result<Vec<String>, NotAPolicy> {
    let mut patterns = Vec::new();
    for (_, value) in fields.iter().filter(|(name, _)| *name == "mx").take(MX_MAX) {
        let pattern = value.trim_end_matches('.').to_ascii_lowercase();
        let name = pattern.strip_prefix("*.").unwrap_or(&pattern);
        let label = |label: &str| {
            let plain = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
            !label.is_empty() && label.len() <= 63 && label.bytes().all(plain)
        };
        if name.len() > 253 || !name.split('.').all(label) {
            return Err(wrong("mx", value));
        }
        patterns.push(pattern);
    }
    Ok(patterns)
}

fn wrong(name: &'static str, value: &str) -> NotAPolicy {
    // The value is a stranger's: it may be long, and hold anything.
    let value = value.chars().filter(|c| !c.is_control()).take(60).collect();
    NotAPolicy::Value { name, value }
}

/// Why TXT records announce no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARecord {
    /// None begins with `v=STSv1;`.
    #[error("there is no `v=STSv1` record")]
    None,
    /// More than one does: then none counts.
    #[error("there are {0} `v=STSv1` records, where there has to be one")]
    Many(usize),
    /// It has no id, or one that is none.
    #[error("its `id` is none: 1 to 32 letters and digits")]
    Id,
}

/// The id of the policy that the TXT records of `_mta-sts.DOMAIN` announce.
///
/// # Errors
/// Why they announce none.
pub fn record_id(texts: &[String]) -> Result<String, NotARecord> {
    let is_ours = |text: &&String| {
        text.strip_prefix("v=STSv1").is_some_and(|rest| rest.trim_start().starts_with(';'))
    };
    let ours: Vec<&String> = texts.iter().filter(is_ours).collect();
    let text = match ours.as_slice() {
        [] => return Err(NotARecord::None),
        [one] => one,
        many => return Err(NotARecord::Many(many.len())),
    };
    let id = text.split(';').skip(1).find_map(|field| {
        field
            .trim()
            .split_once('=')
            .filter(|(name, _)| name.trim() == "id")
            .map(|(_, id)| id.trim())
    });
    let is_id = |id: &&str| {
        (1..=32).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric())
    };
    id.filter(is_id).map(str::to_owned).ok_or(NotARecord::Id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn policies() {
        let good = "version: STSv1\r\nmode: enforce\r\nmx: mx.a.test\r\nmx: *.B.test\r\nmax_age: 604800\r\n";
        let policy = StsPolicy::parse(good).unwrap();
        assert_eq!(
            (policy.mode, policy.mx.as_slice(), policy.max_age.as_secs()),
            (Mode::Enforce, &["mx.a.test".to_owned(), "*.b.test".to_owned()][..], 604_800)
        );
        for (text, expected) in [
            ("version: STSv1\nmode: none\nmax_age: 60", Ok(Mode::None)), // no mx is needed
            ("version:STSv1\nmode:testing\nmx:a.test\nmax_age:0\nnew: x", Ok(Mode::Testing)),
            ("version: STSv1\nmode: testing\nmode: enforce\nmx: a\nmax_age: 1", Ok(Mode::Testing)),
            (
                "version: STSv1\nmode: enforce\nmx: a\nmax_age: 99999999999999999999999",
                Ok(Mode::Enforce),
            ),
            (
                "version: STSv2\nmode: none\nmax_age: 60",
                Err("it does not begin with `version: STSv1`"),
            ),
            ("<html>", Err("it does not begin with `version: STSv1`")),
            ("version: STSv1\nmax_age: 60", Err("it has no `mode`")),
            ("version: STSv1\nmode: none", Err("it has no `max_age`")),
            ("version: STSv1\nmode: enforce\nmax_age: 60", Err("it has no `mx`")),
            (
                "version: STSv1\nmode: Enforce\nmx: a\nmax_age: 60",
                Err("`mode: Enforce` is none of the values that it may have"),
            ),
            (
                "version: STSv1\nmode: none\nmax_age: -1",
                Err("`max_age: -1` is none of the values that it may have"),
            ),
            (
                "version: STSv1\nmode: enforce\nmx: a..b\nmax_age: 1",
                Err("`mx: a..b` is none of the values that it may have"),
            ),
            (
                "version: STSv1\nmode: enforce\nmx: *.*.b\nmax_age: 1",
                Err("`mx: *.*.b` is none of the values that it may have"),
            ),
        ] {
            let found = StsPolicy::parse(text).map(|policy| policy.mode);
            assert_eq!(
                found.map_err(|error| error.to_string()),
                expected.map_err(str::to_owned),
                "{text}"
            );
        }
    }

    #[test]
    fn hosts() {
        let policy = StsPolicy {
            mode: Mode::Enforce,
            mx: vec!["mx.a.test".into(), "*.b.test".into()],
            max_age: Duration::ZERO,
            lines: Vec::new(),
        };
        for (host, named) in [
            ("mx.a.test", true),
            ("MX.A.test.", true),
            ("a.test", false),
            ("x.mx.a.test", false),
            ("mx.b.test", true),
            ("b.test", false),
            (".b.test", false),
            ("a.mx.b.test", false), // the star is one label
            ("mxb.test", false),
        ] {
            assert_eq!(policy.names(host), named, "{host}");
        }
    }

    #[test]
    fn records() {
        let rows: [(&[&str], Result<&str, NotARecord>); 9] = [
            (&["v=STSv1; id=20160831085700Z;"], Ok("20160831085700Z")),
            (&["v=STSv1;id=1"], Ok("1")),
            (&["v=spf1 -all", "v=STSv1; id=a"], Ok("a")), // others beside it
            (&["v=STSv1; new=x; id=b"], Ok("b")),
            (&[], Err(NotARecord::None)),
            (&["v=STSv10; id=1"], Err(NotARecord::None)),
            (&["v=STSv1; id=1", "v=STSv1; id=1"], Err(NotARecord::Many(2))),
            (&["v=STSv1;"], Err(NotARecord::Id)),
            (&["v=STSv1; id=a-b"], Err(NotARecord::Id)),
        ];
        for (texts, expected) in rows {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(record_id(&texts), expected.map(str::to_owned), "{texts:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,400}", record in "\\PC{0,80}") {
            let _ = record_id(&[record]);
            if let Ok(policy) = StsPolicy::parse(&text) {
                prop_assert!(policy.max_age.as_secs() <= MAX_AGE_MAX);
            }
        }
    }
}
