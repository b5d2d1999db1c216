//! MTA-STS: what a web server or the DNS says is read or refused, and what was read holds its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use transport::mta_sts::{StsPolicy, record_id};

fuzz_target!(|input: (&str, Vec<String>)| {
    let (text, records) = input;
    if let Ok(id) = record_id(&records) {
        assert!((1..=32).contains(&id.len()));
    }
    if let Ok(policy) = StsPolicy::parse(text) {
        assert!(policy.max_age.as_secs() <= 31_557_600);
        // The star is one label: what has a label more than every pattern is named by none.
        let labels = |name: &str| name.split('.').count();
        let most = policy.mx.iter().map(|pattern| labels(pattern)).max().unwrap_or(0);
        assert!(!policy.names(&vec!["a"; most + 1].join(".")));
    }
});
