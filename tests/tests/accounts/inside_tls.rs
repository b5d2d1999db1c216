//! What needs TLS on both sides: certificates of clients, and logins that are bound to the session.

use std::{net::SocketAddr, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use harness::{
    bed::{Bed, PASSWORD, USER},
    ports,
};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use sasl::{
    Bindings, Mechanism,
    client::{Context, Credentials, Exchange, Step},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport::{ClientSettings, ClientTls, TlsVersion, Verify, Wire, tls};
use world::net::Connect;

use super::*;

/// An issuer, and a certificate of his for an address; the paths of issuer, certificate and key.
fn certificate(bed: &Bed, name: &str, address: &str) -> [PathBuf; 3] {
    let key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("no names are fine");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let shown = authority.self_signed(&key).expect("a certificate").pem();
    let issuer = Issuer::new(authority, key);
    let own = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::new(Vec::new()).expect("no names are fine");
    let address = address.try_into().expect("ASCII");
    parameters.subject_alt_names = vec![SanType::Rfc822Name(address)];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = parameters.signed_by(&own, &issuer).expect("a certificate").pem();
    let write = |kind: &str, text: String| {
        let path = bed.folder().join(format!("{name}-{kind}.pem"));
        std::fs::write(&path, text).expect("a file can be written");
        path
    };
    [write("issuer", shown), write("cert", certificate), write("key", own.serialize_pem())]
}

/// A client that has read the greeting and the reply to EHLO.
async fn client(
    bed: &Bed,
    port: u16,
    identity: Option<(PathBuf, PathBuf)>,
    minimum: TlsVersion,
) -> Result<(Wire, String), String> {
    let world = world();
    let authorities = Some(bed.data().join("tls/certificate.pem"));
    let settings = ClientSettings { authorities, besides: None, identity, minimum };
    let trust = ClientTls::with(&world, &settings).map_err(|error| error.to_string())?;
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    let timeout = std::time::Duration::from_secs(20);
    let connect = Connect { to, source: None, timeout };
    let stream = world.net.connect(connect).await.map_err(|error| error.to_string())?;
    let verify = Verify::Require { names: Vec::new() };
    let connected = tls::connect(stream, &trust, "localhost", &verify).await;
    let (mut wire, _, _) = connected.map_err(|broken| broken.why)?;
    reply(&mut wire).await?;
    let hello = say(&mut wire, "EHLO client.test").await?;
    Ok((wire, hello))
}

async fn say(wire: &mut Wire, line: &str) -> Result<String, String> {
    let wrote = wire.write_all(format!("{line}\r\n").as_bytes()).await;
    wrote.map_err(|error| error.to_string())?;
    wire.flush().await.map_err(|error| error.to_string())?;
    reply(wire).await
}

async fn reply(wire: &mut Wire) -> Result<String, String> {
    let mut text = String::new();
    let mut piece = [0; 4096];
    loop {
        let last = text.lines().last().unwrap_or_default();
        if text.ends_with('\n') && last.as_bytes().get(3) == Some(&b' ') {
            return Ok(text);
        }
        match wire.read(&mut piece).await {
            Ok(0) => return Err("closed".to_owned()),
            Ok(count) => text.push_str(&String::from_utf8_lossy(&piece[..count])),
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[tokio::test]
async fn a_certificate_says_who_it_is() {
    let port = ports::free();
    let mut bed = Bed::new("");
    let [issuer, cert, key] = certificate(&bed, "ours", "anna@here.test");
    let [_, strange_cert, strange_key] = certificate(&bed, "theirs", "anna@here.test");
    bed.configure(
        "",
        &format!(
            "[[listener]]\nname = \"certified\"\naddress = \"127.0.0.1:{port}\"\nrole = \"submission\"\n\
             tls = \"implicit\"\nclient_ca = \"{}\"\n[[accounts]]\nkind = \"certificates\"\n\
             [[accounts]]\nkind = \"users\"\n[senders]\nown = \"address\"\n[door.logins]\ndelay = \"0s\"\n",
            shown(&issuer)
        ),
    );
    bed.add_user();
    bed.start_again();
    let identity = Some((cert, key));
    let oldest = TlsVersion::default();
    let (mut wire, hello) = client(&bed, port, identity.clone(), oldest).await.expect("TLS stands");
    assert!(hello.contains("AUTH EXTERNAL "), "{hello}");
    let bob = STANDARD.encode("bob@here.test");
    let refused = say(&mut wire, &format!("AUTH EXTERNAL {bob}")).await.expect("a reply");
    assert!(refused.starts_with("535 5.7.8"), "nobody acts for another: {refused}");
    let right = say(&mut wire, "AUTH EXTERNAL =").await.expect("a reply");
    assert!(right.starts_with("235"), "{right}");
    let mail = say(&mut wire, "MAIL FROM:<anna@here.test>").await.expect("a reply");
    assert!(mail.starts_with("250"), "{mail}");
    let (mut wire, hello) = client(&bed, port, None, oldest).await.expect("none is needed");
    assert!(!hello.contains("EXTERNAL"), "{hello}");
    let refused = say(&mut wire, "AUTH EXTERNAL =").await.expect("a reply");
    assert!(refused.starts_with("504"), "{refused}");
    let strange = client(&bed, port, Some((strange_cert, strange_key)), oldest).await;
    assert!(strange.is_err(), "nobody vouches for it");
    let elsewhere = client(&bed, bed.tls, identity, oldest).await.expect("TLS stands");
    assert!(!elsewhere.1.contains("EXTERNAL"), "nobody asked for a certificate there");
}

#[tokio::test]
async fn a_login_is_bound_to_its_session() {
    let mut bed = Bed::new("[door.logins]\ndelay = \"0s\"\n");
    bed.add_user();
    bed.start_again();
    let login = async |change: fn(&mut Bindings)| {
        let newest = TlsVersion::Tls13;
        let (mut wire, hello) = client(&bed, bed.tls, None, newest).await.expect("TLS stands");
        assert!(hello.contains("AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 "), "{hello}");
        let mut bindings = wire.bindings();
        change(&mut bindings);
        let context = Context {
            service: "smtp",
            host: "localhost".into(),
            port: 465,
            bindings,
            random: [5; 32],
            now: 0,
        };
        let credentials = Arc::new(Credentials::new(USER, PASSWORD));
        let mut exchange = Exchange::new(Mechanism::ScramSha256Plus, context, credentials, true);
        let Step::Send(initial) = exchange.begin() else { panic!("the client begins") };
        let initial = STANDARD.encode(initial.octets());
        let line = format!("AUTH SCRAM-SHA-256-PLUS {initial}");
        let mut reply = say(&mut wire, &line).await.expect("a reply");
        while let Some(challenge) = reply.strip_prefix("334 ") {
            let challenge = STANDARD.decode(challenge.trim_end()).expect("base64");
            let step = exchange.challenge(&challenge);
            let Step::Send(response) = exchange.worked(step) else { panic!("{reply}") };
            reply = say(&mut wire, &STANDARD.encode(response.octets())).await.expect("a reply");
        }
        reply
    };
    assert!(login(|_| ()).await.starts_with("235"), "by the session");
    let by_certificate = login(|bindings| bindings.exporter = None).await;
    assert!(by_certificate.starts_with("235"), "by the certificate: {by_certificate}");
    // Whoever sits in between has another session with us than with the client.
    let other = login(|bindings| bindings.exporter = Some(vec![1; 32])).await;
    assert!(other.starts_with("535 5.7.8"), "{other}");
}
