//! Tokens of an issuer who is a small web server in this process, with keys of every kind.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;

/// What the web server says: by path.
struct Issuer {
    port: u16,
    keys: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
}

/// The claims that the introspected token `opaque` has.
const OPAQUE: &str = r#"{"active":true,"aud":"mail","exp":4102444800,"email":"anna@here.test"}"#;

impl Issuer {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", harness::ports::free())).expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let keys = Arc::new(Mutex::new(json!({ "keys": [] })));
        let asked = Arc::new(AtomicUsize::new(0));
        let (kept, count) = (keys.clone(), asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let request = request(&mut stream);
                count.fetch_add(1, Ordering::SeqCst);
                let body = match () {
                    () if request.starts_with("GET /keys ") => kept.lock().unwrap().to_string(),
                    () if !request.contains("Authorization: Basic bWFpbHdyaWdodDpodXNo") => {
                        let _gone =
                            stream.write_all(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n");
                        continue;
                    }
                    () if request.contains("token=opaque&") => OPAQUE.to_owned(),
                    () => r#"{"active":false}"#.to_owned(),
                };
                let length = body.len();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                let _gone = stream.write_all((head + &body).as_bytes());
            }
        });
        Self { port, keys, asked }
    }

    fn accounts(&self, more: &str) -> Accounts {
        accounts(&format!(
            "[[accounts]]\nkind = 'oauth'\nissuer = 'https://id.test'\naudience = ['mail']\n\
             keys = 'http://127.0.0.1:{}/keys'\n{more}\n",
            self.port
        ))
    }
}

fn request(stream: &mut std::net::TcpStream) -> String {
    let mut octets = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let count = stream.read(&mut piece).unwrap_or(0);
        octets.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&octets);
        let length = text.split("Content-Length: ").nth(1).and_then(|rest| rest.split('\r').next());
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        let is_whole = text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length);
        if is_whole || count == 0 {
            return text.into_owned();
        }
    }
}

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A key for each algorithm: its name, the key as the issuer shows it, and how it signs.
fn key(name: &str) -> (Value, Sign) {
    let encode = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
    match name {
        "ES256" | "ES384" => {
            let (kind, curve) = match name {
                "ES256" => (&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
                _ => (&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            };
            let pair = EcdsaKeyPair::generate(kind).expect("a key");
            let (x, y) = {
                let point = &pair.public_key().as_ref()[1..];
                (encode(&point[..point.len() / 2]), encode(&point[point.len() / 2..]))
            };
            let shown = json!({ "kty": "EC", "crv": curve, "kid": name, "x": x, "y": y });
            let sign = move |message: &[u8]| {
                pair.sign(&SystemRandom::new(), message).expect("a signature").as_ref().to_vec()
            };
            (shown, Box::new(sign))
        }
        "EdDSA" => {
            let pair = Ed25519KeyPair::generate().expect("a key");
            let x = encode(pair.public_key().as_ref());
            let shown = json!({ "kty": "OKP", "crv": "Ed25519", "kid": name, "x": x });
            (shown, Box::new(move |message: &[u8]| pair.sign(message).as_ref().to_vec()))
        }
        _ => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
            let (n, e) = numbers(pair.public_key().as_ref());
            let shown = json!({ "kty": "RSA", "kid": name, "alg": name, "use": "sig", "n": encode(&n), "e": encode(&e) });
            let kind: &'static dyn RsaEncoding = match name {
                "RS256" => &signature::RSA_PKCS1_SHA256,
                "RS384" => &signature::RSA_PKCS1_SHA384,
                "RS512" => &signature::RSA_PKCS1_SHA512,
                "PS256" => &signature::RSA_PSS_SHA256,
                "PS384" => &signature::RSA_PSS_SHA384,
                _ => &signature::RSA_PSS_SHA512,
            };
            let sign = move |message: &[u8]| {
                let mut signed = vec![0; pair.public_modulus_len()];
                pair.sign(kind, &SystemRandom::new(), message, &mut signed).expect("a signature");
                signed
            };
            (shown, Box::new(sign))
        }
    }
}

/// n and e of an RSAPublicKey (RFC 8017 appendix A.1.1): a sequence of two integers.
fn numbers(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    fn next(octets: &[u8]) -> (&[u8], &[u8]) {
        let (length, head) = match octets[1] {
            short @ 0..=0x7f => (usize::from(short), 2),
            0x81 => (usize::from(octets[2]), 3),
            _ => (usize::from(octets[2]) << 8 | usize::from(octets[3]), 4),
        };
        (&octets[head..head + length], &octets[head + length..])
    }
    let (n, rest) = next(next(der).0);
    (n.iter().copied().skip_while(|octet| *octet == 0).collect(), next(rest).0.to_vec())
}

fn token(algorithm: &str, claims: &Value, sign: &Sign) -> String {
    let header = json!({ "alg": algorithm, "kid": algorithm, "typ": "at+jwt" });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn claims() -> Value {
    json!({ "iss": "https://id.test", "aud": ["web", "mail"], "exp": 4_102_444_800_u64,
            "email": "anna@here.test", "email_verified": true, "scope": "openid smtp.send" })
}

fn with(key: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[key] = value;
    claims
}

async fn try_token(accounts: &Accounts, user: Option<&str>, token: &str) -> Answered {
    let ask = Ask::Token { user: user.map(str::to_owned), token: Secret::new(token) };
    accounts.ask(&ask, &visit()).await
}

#[tokio::test]
async fn tokens_are_checked_by_their_issuers_keys() {
    let issuer = Issuer::start();
    let algorithms =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    let keys: Vec<_> = algorithms.iter().map(|name| (*name, key(name))).collect();
    let shown: Vec<&Value> = keys.iter().map(|(_, (shown, _))| shown).collect();
    *issuer.keys.lock().unwrap() = json!({ "keys": shown });
    let accounts = issuer.accounts("scope = 'smtp.send'");
    for (name, (_, sign)) in &keys {
        let right =
            try_token(&accounts, Some("anna@here.test"), &token(name, &claims(), sign)).await;
        assert_eq!(word(&right), "yes: anna@here.test", "{name}");
    }
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 1, "the keys are kept");
    let sign = &keys[0].1.1;
    for (claims, why) in [
        (with("iss", json!("https://other.test")), "issued by https://other.test"),
        (with("aud", json!("web")), "is for [\"web\"]"),
        (with("aud", Value::Null), "is for []"),
        (with("exp", json!(1_000)), "has expired"),
        (with("exp", Value::Null), "never expires"),
        (with("nbf", json!(4_102_444_000_u64)), "not valid yet"),
        (with("scope", json!("openid smtp.sender")), "lacks the scope"),
        (with("email", json!("")), "no claim `email`"),
        (with("email_verified", json!(false)), "not confirmed"),
    ] {
        let wrong = try_token(&accounts, None, &token("RS256", &claims, sign)).await;
        assert!(word(&wrong).contains(why), "{why}: {}", word(&wrong));
        assert_eq!(wrong.answer, sasl::server::Answer::No);
    }
    let good = token("RS256", &claims(), sign);
    assert!(word(&try_token(&accounts, Some("bob@here.test"), &good).await).contains("not of bob"));
    let (signed, _) = good.rsplit_once('.').expect("three parts");
    let none =
        format!("{}.", signed.replace(&signed[..20], &URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#)));
    for forged in
        [format!("{signed}."), format!("{signed}.AAAA"), none, "x".to_owned(), String::new()]
    {
        let wrong = try_token(&accounts, None, &forged).await;
        assert_eq!(wrong.answer, sasl::server::Answer::No, "{forged}: {}", word(&wrong));
    }
    // A key is for its own algorithm only: RS256's key is not asked for PS256.
    let crossed = token("PS256", &claims(), sign);
    assert!(word(&try_token(&accounts, None, &crossed).await).contains("signature is wrong"));
}

#[tokio::test]
async fn unknown_keys_are_fetched_once_in_a_while_and_old_ones_outlive_their_server() {
    let issuer = Issuer::start();
    let (shown, sign) = key("ES256");
    let accounts = issuer.accounts("");
    let good = token("ES256", &claims(), &sign);
    let unknown = try_token(&accounts, None, &good).await;
    assert!(word(&unknown).contains("no such key"), "{}", word(&unknown));
    *issuer.keys.lock().unwrap() = json!({ "keys": [shown] });
    for _ in 0..20 {
        assert!(try_token(&accounts, None, &good).await.account.is_none(), "not before a minute");
    }
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 1, "strangers' tokens fetch nothing");
    let fresh = issuer.accounts("");
    assert!(try_token(&fresh, None, &good).await.account.is_some());
    let nobody = harness::ports::free();
    let gone = super::accounts(&format!(
        "[[accounts]]\nkind = 'oauth'\nissuer = 'https://id.test'\naudience = ['mail']\n\
         keys = 'http://127.0.0.1:{nobody}/keys'\n"
    ));
    let silent = try_token(&gone, None, &good).await;
    assert_eq!(silent.answer, sasl::server::Answer::Unavailable, "{}", word(&silent));
}

#[tokio::test]
async fn the_issuer_is_asked_about_tokens() {
    let issuer = Issuer::start();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hush\n").expect("a secret can be written");
    let text = |client: &str| {
        format!(
            "[[accounts]]\nkind = 'oauth'\naudience = ['mail']\nclient = '{client}'\nsecret_file = '{}'\n\
             introspection = 'http://127.0.0.1:{}/introspect'\n",
            shown(&secret),
            issuer.port
        )
    };
    let known = accounts(&text("mailwright"));
    assert_eq!(word(&try_token(&known, None, "opaque").await), "yes: anna@here.test");
    assert!(word(&try_token(&known, None, "stale").await).contains("not valid"));
    let stranger = accounts(&text("somebody"));
    let refused = try_token(&stranger, None, "opaque").await;
    assert_eq!(refused.answer, sasl::server::Answer::Unavailable, "{}", word(&refused));
    assert!(word(&refused).contains("says 401"), "{}", word(&refused));
}
