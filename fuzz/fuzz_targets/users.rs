//! The users file: any text is read without a panic; what is read is written and reads the same, and shows
//! nothing of a password.

#![no_main]

use std::collections::BTreeMap;

use accounts::users::User;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(users) = toml::from_str::<BTreeMap<String, User>>(text) else { return };
    for user in users.values() {
        let _valid_or_not = (user.has_valid_hash(), user.has_valid_keys());
        let shown = format!("{user:?}");
        let secret = user.secret.as_deref().unwrap_or_default();
        let is_elsewhere = user.reverse_paths.iter().any(|path| path.contains(secret));
        assert!(secret.len() < 20 || is_elsewhere || !shown.contains(secret), "{shown}");
    }
    let written = toml::to_string(&users).expect("users can be written");
    let again: BTreeMap<String, User> = toml::from_str(&written).expect("what was written is read");
    assert!(again == users, "{written}");
});
