//! Addresses, paths and command lines: what is read is written back the same, and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::{Address, address::Path, command, xtext};

fuzz_target!(|text: &str| {
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.as_str(), text);
        assert_eq!(address.to_string().parse(), Ok(address.clone()));
        let whole = format!("{}@{}", address.local_part(), address.domain());
        assert!(whole == text || address.domain().is_empty());
        let _ = address.local_part_unquoted();
        assert!(!text.contains(['\r', '\n', '\0']));
    }
    if let Ok((path, rest)) = Path::split_from(text) {
        assert!(text.ends_with(rest));
        if let Path::Address(address) = path {
            let again = format!("<{address}>{rest}");
            assert_eq!(Path::split_from(&again), Ok((Path::Address(address), rest)));
        }
    }
    let (_, argument) = command::split(text);
    let _ = command::Chunk::parse(argument);
    if let Some(parameters) = command::parameters(argument) {
        parameters.for_each(drop);
    }
    assert_eq!(&xtext::decode(&xtext::encode(text.as_bytes()))[..], text.as_bytes());
});
