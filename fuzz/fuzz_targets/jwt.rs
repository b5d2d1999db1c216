//! Tokens and the keys they are signed with: any text is read without a panic, and none that nobody has
//! signed is right.

#![no_main]

use accounts::oauth::{jwk::Keys, jwt::Token};
use libfuzzer_sys::fuzz_target;

/// RFC 7515 appendix A.3.1, without the half that signs; a stranger's key under any name is as good.
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
"y":"x0ooIwlntEWQtvcDyJdMV5mpBrs-53dFGVUd4WvOk5Y"}]}"#;

fuzz_target!(|input: (&str, &[u8])| {
    let (token, keys) = input;
    let known = Keys::parse(KEYS.as_bytes()).expect("keys");
    assert!(known.has("1"));
    if let Ok(token) = Token::parse(token) {
        assert!(token.verify(&known).is_err(), "a token that nobody has signed: {token:?}");
        if let Ok(keys) = Keys::parse(keys) {
            let _right_or_wrong = token.verify(&keys);
        }
    }
    let _read_or_not = Keys::parse(keys);
});
