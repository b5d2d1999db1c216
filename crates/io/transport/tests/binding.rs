//! What a login is bound to: both ends of a TLS session name it alike, and no two sessions have one name.

mod peer;

use std::sync::Arc;

use peer::Pair;
use sasl::Bindings;
use transport::{ClientSettings, ClientTls, ServerIdentity, TlsVersion, Verify, tls};

/// The names of a session: as the client has them, and the server.
async fn names(pair: &Pair, config: &Arc<rustls::ServerConfig>) -> (Bindings, Bindings) {
    let at = (peer::PEER, 25).into();
    let listener = pair.theirs.net.listen(at).expect("the address is free");
    let config = Arc::clone(config);
    let server = tokio::spawn(async move {
        let stream = listener.accept().await.expect("a connection");
        let (wire, facts) = tls::accept(stream, &config).await.expect("accepted");
        (wire.bindings(), facts.bindable)
    });
    let connect =
        world::net::Connect { to: at, source: None, timeout: std::time::Duration::from_secs(5) };
    let stream = pair.ours.net.connect(connect).await.expect("connected");
    let settings = ClientSettings { minimum: TlsVersion::Tls12, ..ClientSettings::default() };
    let client = ClientTls::with(&pair.ours, &settings).expect("set up");
    let (wire, _, _) =
        tls::connect(stream, &client, "mx.b.test", &Verify::Record).await.expect("shaken");
    let (theirs, bindable) = server.await.expect("no panic");
    assert_eq!(bindable, !theirs.is_empty(), "offered as it can be done");
    (wire.bindings(), theirs)
}

#[tokio::test(start_paused = true)]
async fn both_ends_name_a_session_alike() {
    let pair = Pair::new();
    let made = ServerIdentity::self_signed(&pair.theirs, &["mx.b.test".to_owned()]).expect("made");
    let identity = ServerIdentity::from_pem(&made.certificate, &made.key, ("a", "b"));
    let identities = [identity.expect("an identity")];
    let config = ServerIdentity::config(&identities).expect("configured");
    let (ours, theirs) = names(&pair, &config).await;
    assert_eq!(ours, theirs);
    assert!(ours.exporter.is_some() && ours.end_point.is_some(), "{ours:?}");
    let (other, _) = names(&pair, &config).await;
    assert_ne!(ours.exporter, other.exporter, "another session");
    assert_eq!(ours.end_point, other.end_point, "the same server");
    // TLS 1.2 has the certificate's name only.
    let mut older = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_protocol_versions(&[&rustls::version::TLS12])
    .expect("a version")
    .with_no_client_auth()
    .with_cert_resolver(Arc::clone(&config.cert_resolver));
    older.ticketer = Arc::clone(&config.ticketer);
    let (ours, theirs) = names(&pair, &Arc::new(older)).await;
    assert_eq!(ours, theirs);
    assert!(ours.exporter.is_none() && ours.end_point.is_some(), "{ours:?}");
}
