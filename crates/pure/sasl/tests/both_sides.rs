//! Each mechanism's client against its server: what has to work, what must not, and that it does not show
//! who exists.

use std::sync::Arc;

use proptest::prelude::*;
use sasl::{
    Bindings, Mechanism, Mechanisms, Secret,
    client::{self, Credentials, Proof},
    gss, nt_hash, scram,
    server::{self, Answer, Ask, Step, Tokens, Why},
};

const USER: &str = "anna@example.test";
const PASSWORD: &str = "pencil\u{ad}"; // SASLprep takes the soft hyphen away

fn server_context(bindings: Bindings) -> server::Context {
    server::Context {
        hostname: "mx.example.test".into(),
        service: "smtp",
        plus_offered: !bindings.is_empty(),
        bindings,
        random: [5; 32],
        key: Arc::new(Secret::new("the server's own")),
        iterations: scram::ITERATIONS,
        now: 1_795_168_800,
        tokens: Tokens { scope: Some("mail \"all\"".into()), configuration: None },
        ntlm_v1: false,
    }
}

fn client_context(bindings: Bindings) -> client::Context {
    client::Context {
        service: "smtp",
        host: "mx.example.test".into(),
        port: 587,
        bindings,
        random: [9; 32],
        now: 1_795_168_805,
    }
}

fn bindings(octet: u8) -> Bindings {
    Bindings { exporter: Some(vec![octet; 32]), end_point: Some(vec![octet; 48]), unique: None }
}

fn credentials(mechanism: Mechanism) -> Credentials {
    let proof = match mechanism {
        Mechanism::External | Mechanism::Gssapi => Proof::Elsewhere,
        Mechanism::OAuthBearer | Mechanism::XOAuth2 => Proof::Token(Secret::new("ya29.token")),
        _ => Proof::Password(Secret::new(PASSWORD)),
    };
    Credentials { proof, mechanisms: Mechanisms::that(|_| true), ..Credentials::new(USER, "") }
}

/// A back end with one user.
fn back_end(ask: Ask) -> Answer {
    let known = |user: &str| user == USER;
    let yes = |yes: bool| if yes { Answer::User(USER.into()) } else { Answer::No };
    match ask {
        Ask::Password { user, password } => yes(known(&user) && password == Secret::new(PASSWORD)),
        Ask::ScramKeys { user, hash } if known(&user) => {
            let salt = b"sixteen octets..".to_vec();
            Answer::ScramKeys(scram::Keys::derive(hash, "pencil", salt, scram::ITERATIONS))
        }
        Ask::SharedSecret { user } if known(&user) => Answer::Password(Secret::new(PASSWORD)),
        Ask::NtHash { user, .. } if known(&user) => {
            Answer::NtHash { user: USER.into(), hash: nt_hash(PASSWORD) }
        }
        Ask::Token { user, token } => {
            yes(user.as_deref().is_none_or(known) && token == Secret::new("ya29.token"))
        }
        Ask::Certificate { authorization } => yes(authorization.as_deref().is_none_or(known)),
        Ask::Principal { principal, authorization } => {
            yes(principal == "anna@EXAMPLE.TEST" && authorization.as_deref().is_none_or(known))
        }
        Ask::Gss(ask) => Answer::Gss(acceptor(ask)),
        _ => Answer::No,
    }
}

/// Kerberos without Kerberos: two tokens from the client, one back. A wrapping is an octet in front.
fn acceptor(ask: gss::Ask) -> gss::Answer {
    match ask {
        gss::Ask::Token(token) => match token.as_deref() {
            Some(b"first") => gss::Answer::Continue(b"more".to_vec()),
            Some(b"second") => {
                let peer = "anna@EXAMPLE.TEST".to_owned();
                gss::Answer::Established { token: Some(b"done".to_vec()), peer }
            }
            _ => gss::Answer::Failed("no such token".into()),
        },
        gss::Ask::Wrap(octets) => gss::Answer::Octets([b"w", &octets[..]].concat()),
        gss::Ask::Unwrap(octets) => match octets.strip_prefix(b"w") {
            Some(octets) => gss::Answer::Octets(octets.to_vec()),
            None => gss::Answer::Failed("not wrapped".into()),
        },
    }
}

fn initiator(ask: gss::Ask) -> gss::Answer {
    match ask {
        gss::Ask::Token(token) => match token.as_deref() {
            None => gss::Answer::Continue(b"first".to_vec()),
            Some(b"more") => gss::Answer::Continue(b"second".to_vec()),
            Some(b"done") => gss::Answer::Established { token: None, peer: "smtp/mx".into() },
            _ => gss::Answer::Failed("no such token".into()),
        },
        other => acceptor(other),
    }
}

/// How a login ended on both sides.
#[derive(Debug, PartialEq)]
enum End {
    In(String),
    Refused(Option<String>, Why),
    GivenUp(client::Why),
    Unproven(client::Why),
}

/// Plays one; what the server said goes to `heard`.
fn play(
    server: &mut server::Exchange,
    client: &mut client::Exchange,
    mut back_end: impl FnMut(Ask) -> Answer,
    heard: &mut Vec<Vec<u8>>,
) -> End {
    let mut initial = true;
    let mut step = client.begin();
    loop {
        let response = loop {
            match step {
                client::Step::Ask(ask) => step = client.answer(initiator(ask)),
                client::Step::Salt(salting) => step = client.salted(&salting.work()),
                client::Step::Send(octets) => break Some(octets),
                client::Step::Wait => break None,
                client::Step::Failed(why) => return End::GivenUp(why),
            }
        };
        let octets = response.as_ref().map(Secret::octets);
        let mut next = match std::mem::take(&mut initial) {
            true => server.begin(octets),
            false => server.respond(octets.expect("something to say")),
        };
        while let Step::Ask(ask) = next {
            next = server.answer(back_end(ask));
        }
        step = match next {
            Step::Challenge(octets) => {
                heard.push(octets.clone());
                client.challenge(&octets)
            }
            Step::Done { user, additional } => {
                if let Some(octets) = additional {
                    heard.push(octets.clone());
                    match client.challenge(&octets) {
                        client::Step::Send(empty) => assert!(empty.is_empty()),
                        client::Step::Failed(why) => return End::GivenUp(why),
                        other => panic!("{other:?} to the server's proof"),
                    }
                }
                return client.finish().map_or_else(End::Unproven, |()| End::In(user));
            }
            Step::Refused { user, why } => return End::Refused(user, why),
            Step::Ask(_) => unreachable!(),
        }
    }
}

fn login(mechanism: Mechanism, credentials: Credentials, ours: u8, theirs: u8) -> End {
    let mut server = server::Exchange::new(mechanism, server_context(bindings(ours)));
    let mut client = client::Exchange::new(
        mechanism,
        client_context(bindings(theirs)),
        Arc::new(credentials),
        true,
    );
    play(&mut server, &mut client, back_end, &mut Vec::new())
}

fn all() -> impl Iterator<Item = Mechanism> {
    Mechanism::TABLE.iter().map(|row| row.mechanism)
}

#[test]
fn who_has_the_proof_gets_in() {
    for mechanism in all() {
        let end = login(mechanism, credentials(mechanism), 1, 1);
        assert_eq!(end, End::In(USER.into()), "{mechanism}");
    }
}

#[test]
fn who_has_not_does_not() {
    for mechanism in all() {
        let right = credentials(mechanism);
        let wrong = match &right.proof {
            Proof::Elsewhere | Proof::Missing(_) => {
                Credentials { user: "bob@example.test".into(), ..right }
            }
            Proof::Password(_) => Credentials { proof: Proof::Password(Secret::new("x")), ..right },
            Proof::Token(_) => Credentials { proof: Proof::Token(Secret::new("x")), ..right },
        };
        let end = login(mechanism, wrong, 1, 1);
        assert!(matches!(end, End::Refused(_, Why::Credentials)), "{mechanism}: {end:?}");
    }
}

#[test]
fn who_is_in_between_does_not_get_in_either() {
    for mechanism in all() {
        let end = login(mechanism, credentials(mechanism), 1, 2);
        let bound = mechanism.is_plus() || mechanism == Mechanism::Ntlm;
        let expected = match bound {
            true => End::Refused(Some(USER.into()), Why::Binding),
            false => End::In(USER.into()),
        };
        assert_eq!(end, expected, "{mechanism}");
    }
}

#[test]
fn nobody_takes_plus_out_of_the_offer() {
    for mechanism in [Mechanism::ScramSha256, Mechanism::ScramSha1] {
        for (offered, seen, expected) in [
            (true, false, End::Refused(None, Why::Downgraded)),
            (true, true, End::In(USER.into())),
            (false, false, End::In(USER.into())),
        ] {
            let mut context = server_context(bindings(1));
            context.plus_offered = offered;
            let mut server = server::Exchange::new(mechanism, context);
            let credentials = Arc::new(credentials(mechanism));
            let mut client =
                client::Exchange::new(mechanism, client_context(bindings(1)), credentials, seen);
            let end = play(&mut server, &mut client, back_end, &mut Vec::new());
            assert_eq!(end, expected, "{mechanism}: offered {offered}, seen {seen}");
        }
    }
}

/// What the server says does not tell whether there is a user of that name.
#[test]
fn nobody_learns_who_exists() {
    for mechanism in all().filter(|it| !matches!(it, Mechanism::External | Mechanism::Gssapi)) {
        let said = |user: &str| {
            let wrong = match credentials(mechanism).proof {
                Proof::Token(_) => Proof::Token(Secret::new("x")),
                _ => Proof::Password(Secret::new("x")),
            };
            let credentials =
                Credentials { user: user.to_owned(), proof: wrong, ..credentials(mechanism) };
            let mut server = server::Exchange::new(mechanism, server_context(bindings(1)));
            let mut client = client::Exchange::new(
                mechanism,
                client_context(bindings(1)),
                Arc::new(credentials),
                true,
            );
            let mut heard = Vec::new();
            let end = play(&mut server, &mut client, back_end, &mut heard);
            assert!(matches!(end, End::Refused(_, Why::Credentials)), "{mechanism}: {end:?}");
            heard
        };
        let (known, unknown, again) = (said(USER), said("nobody@a.test"), said("nobody@a.test"));
        let lengths = |said: &[Vec<u8>]| said.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(&known), lengths(&unknown), "{mechanism}");
        assert_eq!(unknown, again, "{mechanism}: a salt that changes is nobody's");
    }
}

#[test]
fn a_back_end_that_is_not_there_is_no_wrong_password() {
    for mechanism in all() {
        let mut server = server::Exchange::new(mechanism, server_context(bindings(1)));
        let mut client = client::Exchange::new(
            mechanism,
            client_context(bindings(1)),
            Arc::new(credentials(mechanism)),
            true,
        );
        let end = play(&mut server, &mut client, |_| Answer::Unavailable, &mut Vec::new());
        assert!(matches!(end, End::Refused(_, Why::Unavailable)), "{mechanism}: {end:?}");
    }
}

#[test]
fn a_server_that_knows_nothing_is_found_out() {
    let said = |mechanism, challenges: &[&[u8]]| {
        let context = client_context(Bindings::default());
        let credentials = Arc::new(credentials(mechanism));
        let mut client = client::Exchange::new(mechanism, context, credentials, false);
        client.begin();
        let steps = challenges.iter().map(|octets| {
            let step = client.challenge(octets);
            client.worked(step)
        });
        let last = steps.last();
        (last, client.finish())
    };
    // 24 octets of 9 in base64 are the client's nonce.
    let first = b"r=CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJxyz,s=c2FsdA==,i=4096";
    let few = b"r=CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJxyz,s=c2FsdA==,i=10";
    let failed = |why| Some(client::Step::Failed(why));
    let impostor = failed(client::Why::Impostor);
    let scram = Mechanism::ScramSha256;
    assert_eq!(said(scram, &[first, b"v=bm90IGl0"]).0, impostor);
    assert_eq!(said(scram, &[first]).1, Err(client::Why::Impostor), "yes without a proof");
    assert_eq!(said(scram, &[]).1, Err(client::Why::Impostor));
    assert_eq!(said(scram, &[few]).0, failed(client::Why::Iterations(10)));
    let refused = failed(client::Why::Refused("unknown-user".into()));
    assert_eq!(said(scram, &[first, b"e=unknown-user"]).0, refused);
    let digest = br#"realm="a",nonce="b",qop="auth",algorithm=md5-sess"#;
    assert_eq!(said(Mechanism::DigestMd5, &[digest, b"rspauth=00"]).0, impostor);
}

#[test]
fn a_token_that_is_refused_is_told_why() {
    for (mechanism, expected) in [
        (Mechanism::OAuthBearer, r#"{"status":"invalid_token","scope":"mail \"all\""}"#),
        (Mechanism::XOAuth2, r#"{"status":"401","schemes":"bearer","scope":"mail \"all\""}"#),
    ] {
        let mut server = server::Exchange::new(mechanism, server_context(bindings(1)));
        let credentials = Arc::new(credentials(mechanism));
        let mut client =
            client::Exchange::new(mechanism, client_context(bindings(1)), credentials, true);
        let mut heard = Vec::new();
        let end = play(&mut server, &mut client, |_| Answer::No, &mut heard);
        assert!(matches!(end, End::Refused(_, Why::Credentials)), "{end:?}");
        assert_eq!(heard, [expected.as_bytes()]);
        assert_eq!(client.told(), Some(expected));
    }
}

fn mechanism() -> impl Strategy<Value = Mechanism> {
    (0..Mechanism::TABLE.len()).prop_map(|row| Mechanism::TABLE[row].mechanism)
}

/// Octets that come near to what mechanisms look for.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let words: &[&[u8]] = &[
        b"n,,",
        b"y,,",
        b"p=tls-exporter,,",
        b"n=anna,r=abc",
        b",c=biws",
        b",p=AAAA",
        b"NTLMSSP\0",
        b"\x03\0\0\0",
        b"\x01auth=Bearer x\x01\x01",
        b"user=a",
        b"nonce=\"",
        b"realm=",
        b"\0anna\0x",
        b"r=CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJx,s=AAAA,i=4096",
        b"v=AAAA",
        b"w\x01\0\0\0",
        b"first",
        b"username=a,cnonce=b,",
        b"\x02\0\0\0",
        b"\x18\0\x18\0\x40\0\0\0",
    ];
    let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
    let piece = prop_oneof![
        prop::sample::select(words),
        prop::collection::vec(any::<u8>(), 0..20),
        prop::collection::vec(Just(0), 0..60),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Whatever a client says: no panic, an end in a few steps, and nobody gets in without a back end that
    /// says so.
    #[test]
    fn a_server_bears_any_client(
        mechanism in mechanism(),
        initial in prop::option::of(octets()),
        responses in prop::collection::vec(octets(), 1..8),
    ) {
        let mut server = server::Exchange::new(mechanism, server_context(bindings(1)));
        let mut step = server.begin(initial.as_deref());
        let mut responses = responses.into_iter();
        loop {
            step = match step {
                Step::Ask(Ask::Gss(ask)) => server.answer(Answer::Gss(acceptor(ask))),
                Step::Ask(_) => server.answer(Answer::No),
                Step::Challenge(_) => match responses.next() {
                    Some(response) => server.respond(&response),
                    None => break,
                },
                Step::Done { .. } => panic!("{mechanism}: in without a proof"),
                Step::Refused { .. } => break,
            };
        }
    }

    /// Whatever a server says: no panic.
    #[test]
    fn a_client_bears_any_server(
        mechanism in mechanism(),
        challenges in prop::collection::vec(octets(), 1..6),
    ) {
        let context = client_context(bindings(1));
        let credentials = Arc::new(credentials(mechanism));
        let mut client = client::Exchange::new(mechanism, context, credentials, false);
        let mut step = client.begin();
        for challenge in challenges {
            while let client::Step::Ask(ask) = step {
                step = client.answer(initiator(ask));
            }
            step = match step {
                client::Step::Failed(_) => break,
                _ => {
                    let step = client.challenge(&challenge);
                    client.worked(step)
                }
            };
        }
        let proves = matches!(mechanism, Mechanism::DigestMd5) || mechanism.name().starts_with("SCRAM");
        prop_assert!(!proves || client.finish().is_err(), "{} took an impostor", mechanism);
    }
}
