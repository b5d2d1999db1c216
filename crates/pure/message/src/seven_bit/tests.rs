//! Messages in 8 bit, and what becomes of them.

use mail_parser::{MessageParser, PartType};
use proptest::prelude::*;

use super::*;

fn text(content: &[u8]) -> String {
    String::from_utf8(convert(content).unwrap()).unwrap()
}

#[test]
fn what_needs_nothing_stays() {
    for content in [
        &b"Subject: x\r\n\r\nplain\r\n"[..],
        b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
        b"Content-Transfer-Encoding: 8bit\r\n\r\nplain\r\n",
    ] {
        assert_eq!(convert(content).unwrap(), content);
    }
}

#[test]
fn leaves() {
    for (content, expected) in [
        // no MIME at all: nobody knows the charset
        (
            &b"Subject: x\r\n\r\ncaf\xe9 au lait\r\n"[..],
            "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n\
             Content-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9 au lait\r\n",
        ),
        // the label is changed where it stands
        (
            b"MIME-Version: 1.0\r\nContent-Transfer-Encoding:\r\n 8bit\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ncaf\xc3\xa9 au lait\r\n",
            "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\ncaf=C3=A9 au lait\r\n",
        ),
        // bare line ends are octets, so they get base64
        (
            b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\na\nb\r\n",
            "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: \
             base64\r\n\r\nYQpiDQo=\r\n",
        ),
        (
            b"MIME-Version: 1.0\r\nContent-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\xff",
            "MIME-Version: 1.0\r\nContent-Type: image/x\r\nContent-Transfer-Encoding: \
             base64\r\n\r\nAP8=\r\n",
        ),
        // a text that ends without a line end does so afterwards
        (
            b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nabcdefg\xe9",
            "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
             abcdefg=E9=\r\n",
        ),
        // says it is encoded, and is not quite: encoded anew
        (
            b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=E9\xe9\r\n",
            "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=E9=E9\r\n",
        ),
    ] {
        assert_eq!(text(content), expected);
    }
}

#[test]
fn parts_inside_parts() {
    let content = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"out\"\r\n\
        Content-Transfer-Encoding: 8bit\r\n\r\npreamble\r\n--out\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: 8bit\r\n\r\ncaf\xc3\xa9 au lait\r\n--out \r\n\r\nplain --out\r\n--outer\r\n--out\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ncaf\xe9 au lait\r\n--out--\r\nepilogue\r\n";
    assert_eq!(
        text(content),
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"out\"\r\n\
         Content-Transfer-Encoding: 7bit\r\n\r\npreamble\r\n--out\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9 au lait\r\n--out\r\n\r\nplain --out\r\n--outer\r\n--out\r\n\
         Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: inner\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9 au lait\r\n--out--\r\nepilogue\r\n"
    );
}

#[test]
fn refusals() {
    use CannotConvert::*;
    let deep = "Content-Type: message/rfc822\r\n\r\n".repeat(DEPTH_MAX + 2) + "\r\n\u{e9}\r\n";
    for (content, why) in [
        ("Subject: \u{e9}\r\n\r\n\u{e9}\r\n", Header),
        (
            "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\u{e9}\r\n--b--\r\n",
            Signed,
        ),
        ("Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\n\u{e9}\r\n--b--\r\n", NoBoundary),
        (
            "Content-Type: multipart/mixed; boundary=c\r\n\r\n--b\r\n\r\n\u{e9}\r\n--b--\r\n",
            NoBoundary,
        ),
        ("Content-Type: message/partial\r\n\r\n\u{e9}\r\n", NotEncodable),
        ("Content-Transfer-Encoding: x-uue\r\n\r\n\u{e9}\r\n", Encoding),
        ("Content-Transfer-Encoding: base64\r\n\r\n=A\u{e9}\r\n", Encoding),
        (
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: \
             base64\r\n\r\n\r\n\u{e9}\r\n",
            Encoding,
        ),
        (deep.as_str(), TooDeep),
    ] {
        assert_eq!(convert(content.as_bytes()), Err(why), "{:.60}", content);
    }
}

/// A signed part inside is what counts, however deep.
#[test]
fn signed_inside() {
    let content = "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n\
                   --b\r\n\r\n\u{e9}\r\n--b--\r\n--a--\r\n";
    assert_eq!(convert(content.as_bytes()), Err(CannotConvert::Signed));
}

fn leaf_kind() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("application/octet-stream"),
        Just("text/plain; charset=iso-8859-1"),
        Just("image/png")
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..120),
        "[ -~]{0,200}".prop_map(String::into_bytes),
        "[a-z \u{e9}.=F]{0,100}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.join(&b"\r\n"[..]))
}

/// The octets of every leaf, as an independent reader decodes them.
fn leaves_of(content: &[u8]) -> Vec<Vec<u8>> {
    let message = MessageParser::default().parse(content).unwrap();
    let is_leaf =
        |body: &PartType<'_>| !matches!(body, PartType::Multipart(_) | PartType::Message(_));
    message
        .parts
        .iter()
        .filter(|part| is_leaf(&part.body))
        .map(|part| {
            let raw = &content[part.offset_body as usize..part.offset_end as usize];
            match part.encoding {
                mail_parser::Encoding::None => raw.to_vec(),
                mail_parser::Encoding::QuotedPrintable => {
                    mail_parser::decoders::quoted_printable::quoted_printable_decode(raw).unwrap()
                }
                mail_parser::Encoding::Base64 => {
                    mail_parser::decoders::base64::base64_decode(raw).unwrap()
                }
            }
        })
        .collect()
}

/// What structure is made of.
const PIECES: [&[u8]; 11] = [
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"--b\r\n",
    b"--b--",
    b"--b",
    b"\r\n",
    b"\n",
    b"\xe9",
    b"x",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn an_independent_reader_gets_the_same_octets(parts in proptest::collection::vec((leaf_kind(), body()), 1..4)) {
        let mut content = b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_zq\"\r\n\r\n".to_vec();
        for (kind, body) in &parts {
            content.extend_from_slice(b"--=_zq\r\nContent-Type: ");
            content.extend_from_slice(kind.as_bytes());
            content.extend_from_slice(b"\r\n\r\n");
            content.extend_from_slice(body);
            content.extend_from_slice(b"\r\n");
        }
        content.extend_from_slice(b"--=_zq--\r\n");
        let converted = convert(&content).unwrap();
        prop_assert!(is_seven_bit(&converted), "not 7 bit");
        let found = leaves_of(&converted);
        let expected: Vec<_> = parts.into_iter().map(|(_, body)| body).collect();
        prop_assert_eq!(found, expected);
        // What is 7 bit already is left alone.
        prop_assert_eq!(convert(&converted).unwrap(), converted);
    }

    #[test]
    fn nothing_makes_it_panic(content in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(converted) = convert(&content) {
            prop_assert!(converted.ends_with(b"\r\n"));
        }
    }

    #[test]
    fn nothing_shaped_like_mime_makes_it_panic(
        pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..30)
    ) {
        let content = pieces.concat();
        if let Ok(converted) = convert(&content) {
            prop_assert!(is_seven_bit(&converted));
            prop_assert_eq!(convert(&converted), Ok(converted));
        }
    }
}
