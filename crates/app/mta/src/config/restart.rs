//! What a reload leaves as it was: what the server opened when it started, and holds.

use toml::{Table, Value};

use super::Config;

/// Keys and tables that are in effect from the start to the end of the process.
const HELD: [&str; 8] = [
    "control",
    "data",
    "dns",
    "evidence",
    "log",
    "spool",
    "tls_reports.age_max",
    "tls_reports.keep",
];

/// The keys, such as `spool.reserve`, whose values in `wanted` wait for a restart of a server that was
/// started with `begun`.
pub fn waiting(begun: &Config, wanted: &Config) -> Vec<String> {
    // Both are of types that serialize, and were parsed before.
    let values = |config: &Config| Table::try_from(config).unwrap_or_default();
    let (begun, wanted) = (values(begun), values(wanted));
    let mut found = Vec::new();
    for path in HELD {
        let at = |table: &Table| {
            let mut keys = path.split('.');
            let first = table.get(keys.next()?)?;
            keys.try_fold(first, |value, key| value.get(key)).cloned()
        };
        differing(path, at(&begun).as_ref(), at(&wanted).as_ref(), &mut found);
    }
    found
}

fn differing(path: &str, begun: Option<&Value>, wanted: Option<&Value>, found: &mut Vec<String>) {
    match (begun, wanted) {
        (Some(Value::Table(begun)), Some(Value::Table(wanted))) => {
            let mut keys: Vec<_> = begun.keys().chain(wanted.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                differing(&format!("{path}.{key}"), begun.get(key), wanted.get(key), found);
            }
        }
        _ if begun == wanted => {}
        _ => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text).unwrap().0
    }

    #[test]
    fn what_waits_for_a_restart() {
        let begun = config("");
        for (text, expected) in [
            ("", &[][..]),
            ("[retry]\nfirst = \"1m\"\n[limits]\nerrors_max = 3", &[]),
            ("[tls_reports]\nsend = true\nkeep = false", &["tls_reports.keep"]),
            ("data = \"/elsewhere\"", &["data"]),
            (
                "[spool]\nreserve = \"1 MiB\"\ndirectory = \"/other\"",
                &["spool.directory", "spool.reserve"],
            ),
            ("[log]\nlevel = \"debug\"\n[dns]\ntimeout = \"1s\"", &["dns.timeout", "log.level"]),
            ("[evidence]\non = false", &["evidence.on"]),
            ("[control]\nsocket = \"/run/m\"", &["control.socket"]),
        ] {
            assert_eq!(waiting(&begun, &config(text)), expected, "{text}");
        }
    }

    #[test]
    fn every_key_that_is_held_is_one() {
        let values = Table::try_from(Config::default()).unwrap();
        for path in HELD {
            let first = path.split('.').next().unwrap();
            assert!(values.contains_key(first), "{path}");
        }
    }
}
