//! Tokens of an issuer who is a small web server in this process, with keys of every kind.

use std::sync::{Arc, Mutex};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use harness::{
    bed::Bed,
    client::Client,
    ports,
    program::{python, wait_for},
    web::Web,
};
use serde_json::{Value, json};

use super::{
    server::{LENIENT, base64, connect, listener},
    *,
};

/// An issuer's web server.
struct Issuer {
    web: Web,
    keys: Arc<Mutex<Value>>,
}

/// The claims that the introspected token `opaque` has.
const OPAQUE: &str =
    r#"{"active":true,"aud":"mail","exp":4102444800,"email":"anna@here.test","scope":"smtp.send"}"#;

impl Issuer {
    fn start() -> Self {
        let keys = Arc::new(Mutex::new(json!({ "keys": [] })));
        let kept = keys.clone();
        let web = Web::start(move |request| match () {
            () if request.starts_with("GET /keys ") => Some(kept.lock().unwrap().to_string()),
            () if !request.contains("Authorization: Basic bWFpbHdyaWdodDpodXNo") => None,
            () if request.contains("token=opaque&") => Some(OPAQUE.to_owned()),
            () => Some(r#"{"active":false}"#.to_owned()),
        });
        Self { web, keys }
    }

    /// Shows these keys from now on.
    fn shows(&self, keys: &[&Value]) {
        *self.keys.lock().unwrap() = json!({ "keys": keys });
    }

    fn accounts(&self, more: &str) -> Accounts {
        accounts(&format!(
            "[[accounts]]\nkind = 'oauth'\nissuer = 'https://id.test'\naudience = ['mail']\n\
             keys = 'http://127.0.0.1:{}/keys'\n{more}\n",
            self.web.port
        ))
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
    issuer.shows(&shown);
    let accounts = issuer.accounts("scope = 'smtp.send'");
    for (name, (_, sign)) in &keys {
        let right =
            try_token(&accounts, Some("anna@here.test"), &token(name, &claims(), sign)).await;
        assert_eq!(word(&right), "yes: anna@here.test", "{name}");
    }
    assert_eq!(issuer.web.asked(), 1, "the keys are kept");
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
    issuer.shows(&[&shown]);
    for _ in 0..20 {
        assert!(try_token(&accounts, None, &good).await.account.is_none(), "not before a minute");
    }
    assert_eq!(issuer.web.asked(), 1, "strangers' tokens fetch nothing");
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
            issuer.web.port
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

/// A whole server that knows nobody but by this issuer's tokens.
fn server(port: u16, how: &str) -> Bed {
    let tables = format!(
        "{}[[accounts]]\nkind = \"oauth\"\naudience = [\"mail\"]\nscope = \"smtp.send\"\n{how}\n{LENIENT}",
        listener(port, "")
    );
    Bed::start(&tables)
}

/// The first response of either mechanism.
fn initial(mechanism: &str, user: &str, token: &str) -> String {
    base64(&match mechanism {
        "XOAUTH2" => format!("user={user}\u{1}auth=Bearer {token}\u{1}\u{1}"),
        _ => format!(
            "n,a={user},\u{1}host=mx.here.test\u{1}port=587\u{1}auth=Bearer {token}\u{1}\u{1}"
        ),
    })
}

const ANNA: &str = "anna@here.test";

/// Offers a token; the last reply. A refusal comes in two steps (RFC 7628 section 3.2.3): why, which the
/// client answers by `answer`, and the reply.
#[track_caller]
fn offer(client: &mut Client, mechanism: &str, token: &str, answer: &str) -> String {
    let line = format!("AUTH {mechanism} {}", initial(mechanism, ANNA, token));
    let said = client.say(&line).expect("the server answers");
    let Some(why) = said.strip_prefix("334 ") else { return said };
    let why = STANDARD.decode(why.trim_end()).expect("base64");
    let why: Value = serde_json::from_slice(&why).expect("JSON");
    let status = if mechanism == "XOAUTH2" { "401" } else { "invalid_token" };
    assert_eq!(why["status"], status, "{why}");
    assert_eq!(why["scope"], "smtp.send", "{why}");
    client.say(answer).expect("the server answers")
}

#[test]
fn tokens_over_smtp_are_taken_by_their_keys_and_refused_in_two_steps() {
    let issuer = Issuer::start();
    let (shown, sign) = key("RS256");
    issuer.shows(&[&shown]);
    let port = ports::free();
    let mut bed = server(
        port,
        &format!(
            "issuer = \"https://id.test\"\nkeys = \"http://127.0.0.1:{}/keys\"",
            issuer.web.port
        ),
    );
    let good = token("RS256", &claims(), &sign);
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let payload = signed.split_once('.').expect("two parts").1;
    let headed =
        |header: Value| format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.to_string()));
    // The issuer's public key as the secret of an HMAC: everybody has it (RFC 8725 section 2.1).
    let by_secret = headed(json!({ "alg": "HS256", "kid": "RS256" }));
    let public = shown["n"].as_str().expect("a number");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public.as_bytes());
    let tag = URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key, by_secret.as_bytes()));
    let refused = [
        (token("RS256", &with("exp", json!(1_000)), &sign), "has expired"),
        (token("RS256", &with("aud", json!("web")), &sign), "is for"),
        (token("RS256", &with("scope", json!("openid")), &sign), "lacks the scope"),
        (format!("{}.", headed(json!({ "alg": "none" }))), "in a way that is not taken here"),
        (
            format!("{}.{signature}", headed(json!({ "alg": "none" }))),
            "in a way that is not taken here",
        ),
        (format!("{by_secret}.{tag}"), "in a way that is not taken here"),
        (
            format!("{}.{signature}", headed(json!({ "alg": "RS256", "kid": "other" }))),
            "no such key",
        ),
        (format!("{signed}.{}", URL_SAFE_NO_PAD.encode([7; 256])), "signature is wrong"),
        (token("RS256", &with("email", json!("bob@here.test")), &sign), "not of anna@here.test"),
        ("opaque".to_owned(), "is no signed JSON Web Token"),
    ];
    for mechanism in ["OAUTHBEARER", "XOAUTH2"] {
        let mut client = connect("127.0.0.71", port);
        assert!(offer(&mut client, mechanism, &good, "").starts_with("235 2.7.0"), "{mechanism}");
        let path = client.say("MAIL FROM:<anna@here.test>").expect("the server answers");
        assert!(path.starts_with("250"), "{path}");
        // Google's clients say nothing, RFC 7628's say ^A, some give up: the end is the same.
        for (answer, code) in [("", "535 5.7.8"), ("AQ==", "535 5.7.8"), ("*", "501")] {
            let mut client = connect("127.0.0.71", port);
            let said = offer(&mut client, mechanism, &refused[0].0, answer);
            assert!(said.starts_with(code), "{mechanism}, `{answer}`: {said}");
            client.expect("MAIL FROM:<anna@here.test>", "530");
        }
        for (token, why) in &refused {
            let before = bed.log().matches(why).count();
            let mut client = connect("127.0.0.71", port);
            let said = offer(&mut client, mechanism, token, "AQ==");
            assert!(said.starts_with("535 5.7.8"), "{mechanism}, {why}: {said}");
            wait_for(why, std::time::Duration::from_secs(10), || {
                (bed.log().matches(why).count() > before).then_some(())
            });
        }
    }
    // Those that the client gave up when it had heard why, too.
    let count = 2 * (3 + refused.len());
    let status = bed.command(&["status"]).good();
    assert!(status.contains(&format!("wrong-login {count}")), "{count} count: {status}");
    bed.stop();
    assert!(!bed.log().contains(payload), "a token shows");
}

#[test]
fn python_brings_a_token_that_its_issuer_is_asked_about() {
    let issuer = Issuer::start();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hush\n").expect("a secret can be written");
    let port = ports::free();
    let how = format!(
        "client = \"mailwright\"\nsecret_file = \"{}\"\nintrospection = \"http://127.0.0.1:{}/introspect\"",
        shown(&secret),
        issuer.web.port
    );
    let bed = server(port, &how);
    let script = "
import smtplib, sys
port, mechanism, token = int(sys.argv[1]), *sys.argv[2:]
user = 'anna@here.test'
heard = []
def respond(challenge=None):
    if challenge:
        heard.append(challenge.decode() if isinstance(challenge, bytes) else challenge)
        return '\\1' if mechanism == 'OAUTHBEARER' else ''
    if mechanism == 'XOAUTH2':
        return f'user={user}\\1auth=Bearer {token}\\1\\1'
    return f'n,a={user},\\1auth=Bearer {token}\\1\\1'
smtp = smtplib.SMTP('127.0.0.1', port)
smtp.ehlo()
try:
    print(smtp.auth(mechanism, respond))
except smtplib.SMTPAuthenticationError as error:
    print(error.smtp_code, heard)
";
    let port = port.to_string();
    for mechanism in ["OAUTHBEARER", "XOAUTH2"] {
        let said = python(script, &[&port, mechanism, "opaque"]).good();
        assert!(said.contains("235"), "{mechanism}: {said}\n{}", bed.log());
        let said = python(script, &[&port, mechanism, "stale"]).good();
        assert!(said.starts_with("535") && said.contains("status"), "{mechanism}: {said}");
    }
}
