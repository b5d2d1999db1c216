//! The configuration as a whole.

use super::*;

#[test]
fn the_empty_file_is_the_default() {
    let (config, warnings) = Config::parse("").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(warnings, []);
}
