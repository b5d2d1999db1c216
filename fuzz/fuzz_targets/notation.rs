//! Durations, sizes and networks as people write them: what is read is written back as what is read the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notation::{Network, units};

fuzz_target!(|text: &str| {
    if let Ok(duration) = units::parse_duration(text) {
        assert_eq!(units::parse_duration(&units::show_duration(duration)), Ok(duration));
    }
    if let Ok(size) = units::parse_size(text) {
        assert_eq!(units::parse_size(&units::show_size(size)), Ok(size));
    }
    if let Ok(network) = text.parse::<Network>() {
        assert_eq!(network.to_string().parse::<Network>().as_ref(), Ok(&network));
    }
});
