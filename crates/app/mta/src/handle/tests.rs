//! Both ends of the wire.

use tokio::{io::AsyncWriteExt, net::UnixListener};

use super::*;

#[test]
fn requests_read_as_people_would_write_them() {
    for (text, request) in [
        (r#"{"request":"status"}"#, Request::Status),
        (
            r#"{"request":"queue-list","filter":{"domain":"b.test"}}"#,
            Request::QueueList {
                filter: Filter { domain: Some("b.test".to_owned()), ..Filter::default() },
            },
        ),
        (r#"{"request":"retry","selector":"all"}"#, Request::Retry { selector: Selector::All }),
        (
            r#"{"request":"hold","selector":{"ids":["00A7KQ"]}}"#,
            Request::Hold { selector: Selector::Ids(vec!["00A7KQ".to_owned()]) },
        ),
    ] {
        assert_eq!(serde_json::from_str::<Request>(text).unwrap(), request, "{text}");
    }
    // A misspelt filter must not list everything.
    let misspelt = r#"{"request":"queue-list","filter":{"domian":"b.test"}}"#;
    assert!(serde_json::from_str::<Request>(misspelt).is_err());
}

/// A server that gives each connection the same octets.
fn serve(path: &std::path::Path, octets: &'static [u8]) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = tokio::io::BufReader::new(stream);
            let request = read_request(&mut stream).await;
            assert!(matches!(request, Ok(Some(_))), "{request:?}");
            stream.write_all(octets).await.unwrap();
        }
    });
}

#[tokio::test]
async fn content_comes_octet_by_octet() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    serve(
        &path,
        b"{\"response\":\"content\",\"length\":6}\n\n{}\r\n\0{\"response\":\"done\",\"count\":1}\n",
    );
    let mut out = Vec::new();
    let length = Client::connect(&path).await.unwrap().export("00A7KQ", &mut out).await.unwrap();
    assert_eq!((length, out.as_slice()), (6, b"\n{}\r\n\0".as_slice()));
}

#[tokio::test]
async fn every_failure_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nobody");
    assert!(matches!(Client::connect(&path).await, Err(HandleError::NotRunning(_))));
    for (name, octets, refused) in [
        ("refused", b"{\"response\":\"refused\",\"message\":\"no\"}\n".as_slice(), true),
        ("closed", b"".as_slice(), false),
        ("torn", b"{\"response\":\"do".as_slice(), false),
        ("not json", b"220 hello\r\n".as_slice(), false),
    ] {
        let path = directory.path().join(name);
        serve(&path, octets);
        let mut client = Client::connect(&path).await.unwrap();
        match client.ask(&Request::Status, |_| ()).await {
            Err(HandleError::Refused { .. }) => assert!(refused, "{name}"),
            Err(HandleError::Broken { .. }) => assert!(!refused, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}
