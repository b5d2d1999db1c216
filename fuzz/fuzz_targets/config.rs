//! Configuration files: any text is read or refused, each problem points into the text, and what was read can
//! be put to use or says why not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta::config::{Compiled, Config};

fuzz_target!(|text: &str| {
    match Config::parse(text) {
        Ok((config, warnings)) => {
            warnings.iter().for_each(|warning| drop(format!("{warning:?}")));
            drop(Compiled::new(config, Default::default()).map(drop));
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.span.is_none_or(|span| text.get(span).is_some()));
            }
        }
    }
});
