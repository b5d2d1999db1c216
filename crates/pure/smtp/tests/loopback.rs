//! Both machines back to back in memory, with what each says cut at random: the envelope and the content
//! arrive as they were sent, octet for octet, and each recipient gets the verdict that policy gave.

mod sasl_driver;

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sasl::Mechanisms;
use sasl_driver::{Login, PASSWORD, USER};
use smtp::{
    Address, BodyType, Envelope, Notify, Outcome, Proof, Recipient, Reply, Ret, TlsFacts,
    client::{self, Client, Credentials, Features, Plan, Transaction},
    server::{self, Answer, AuthOffer, Offer, Peer, Question, Server},
};

struct Kept;

/// With its content.
type Message = (Envelope, Vec<u8>);

impl Proof for Kept {
    fn queue_id(&self) -> &str {
        "17"
    }
}

#[derive(Clone, Debug)]
struct Case {
    /// The server's switches: PIPELINING, CHUNKING, SIZE, DSN, STARTTLS, AUTH.
    offered: [bool; 6],
    avoid: Features,
    messages: Vec<Message>,
    /// Where to cut what is on the wire.
    cuts: Vec<usize>,
}

/// Policy goes by the first letter of the local-part.
fn verdict(recipient: &Recipient) -> Result<(), Reply> {
    match recipient.forward_path.as_str().as_bytes()[0] {
        b'b' => Err(Reply::new(550, (5, 1, 1), "no such user")),
        b't' => Err(Reply::new(450, (4, 2, 1), "busy")),
        _ => Ok(()),
    }
}

/// The driver of the server's side: keeps what comes.
struct Receiver {
    server: Server<Kept>,
    unread: Vec<u8>,
    content: Vec<u8>,
    kept: Vec<Message>,
    handshake: bool,
    login: Login,
}

impl Receiver {
    fn new(offer: Offer) -> Self {
        let address = "192.0.2.1:25".parse().expect("an address");
        let peer = Peer::new(address, address);
        let server = Server::new(Arc::new(offer), peer, Duration::ZERO);
        let (unread, content, kept) = Default::default();
        let login = Login::default();
        Self { server, unread, content, kept, handshake: false, login }
    }

    fn hear(&mut self, octets: &[u8]) {
        self.unread.extend_from_slice(octets);
        loop {
            let used = self.server.feed(Duration::ZERO, &self.unread);
            self.unread.drain(..used);
            let asked = self.answer_all();
            if self.unread.is_empty() || (used == 0 && !asked) {
                return;
            }
        }
    }

    fn answer_all(&mut self) -> bool {
        let mut asked = false;
        while let Some(output) = self.server.poll() {
            match output {
                server::Output::Ask(question) => {
                    asked = true;
                    let answer = self.answer(question);
                    self.server.answer(Duration::ZERO, answer);
                }
                server::Output::StartTls => self.handshake = true,
                server::Output::Event(_) | server::Output::Close | server::Output::Reverse(_) => {}
            }
        }
        self.content.extend_from_slice(&self.server.content().split());
        asked
    }

    fn answer(&mut self, question: Question) -> Answer<Kept> {
        match question {
            Question::ReversePath => Answer::Go(Ok(())),
            Question::Recipient(recipient) => Answer::Go(verdict(&recipient)),
            Question::Begin => {
                self.content.clear();
                Answer::Go(Ok(()))
            }
            Question::Keep => {
                self.content.extend_from_slice(&self.server.content().split());
                let envelope = self.server.envelope().expect("there is an envelope").clone();
                self.kept.push((envelope, std::mem::take(&mut self.content)));
                Answer::Kept(Ok(Kept))
            }
            Question::Sasl(step) => Answer::Sasl(self.login.step(step).1),
            Question::Verify(_) | Question::Expand(_) | Question::StartQueue(_) => {
                Answer::Verified(Reply::new(252, (2, 0, 0), "perhaps"))
            }
            Question::Reverse(_) => Answer::Reverse(Err(Reply::local_error())),
            Question::Client(_) => {
                let peer = Box::new(self.server.peer().clone());
                Answer::Client { peer, refused: Some(Reply::client_denied()) }
            }
        }
    }
}

/// Plays a case; gives what the client says became of each recipient, and what the server kept.
fn play(case: &Case) -> (Vec<Vec<Outcome>>, Vec<Message>) {
    let mut receiver = Receiver::new(offer(case));
    let mut client = Client::new(Arc::new(plan(case)), Duration::ZERO);
    let mut cuts = case.cuts.iter().copied().cycle();
    let mut cut = move |length: usize| cuts.next().unwrap_or(length).clamp(1, length);
    let mut messages = case.messages.iter();
    let (mut current, mut finished) = (&[][..], Vec::new());
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    receiver.answer_all();
    for _ in 0..1_000_000 {
        to_client.append(receiver.server.replies());
        to_server.append(client.commands());
        let mut begin = false;
        match client.poll() {
            Some(client::Output::SignIn) => {
                client.sign_in(Duration::ZERO, sasl_driver::client_context());
            }
            Some(client::Output::Ready) => begin = true,
            Some(client::Output::Finished(outcomes)) => {
                finished.push(outcomes);
                begin = true;
            }
            Some(client::Output::Content(_)) => {
                for piece in current.chunks(cut(current.len().max(1))) {
                    client.frame(Duration::ZERO, piece, &mut to_server);
                }
                client.content_sent(Duration::ZERO);
            }
            Some(client::Output::StartTls) => {
                assert!(receiver.handshake, "both sides begin the handshake");
                receiver.server.tls_established(Duration::ZERO, facts());
                client.tls_established(Duration::ZERO, facts());
            }
            Some(client::Output::Close) => return (finished, receiver.kept),
            Some(other) => panic!("{other:?}"),
            None if !to_client.is_empty() => {
                let piece: Vec<u8> = to_client.drain(..cut(to_client.len())).collect();
                client.feed(Duration::ZERO, &piece);
            }
            None if !to_server.is_empty() => {
                let piece: Vec<u8> = to_server.drain(..cut(to_server.len())).collect();
                receiver.hear(&piece);
            }
            None => panic!("both sides wait: {client:?}"),
        }
        if begin {
            match messages.next() {
                Some((envelope, content)) => {
                    current = content;
                    let (envelope, size) = (Arc::new(envelope.clone()), content.len() as u64);
                    client.begin(Duration::ZERO, Transaction::new(envelope, size));
                }
                None => client.quit(Duration::ZERO),
            }
        }
    }
    panic!("the dialogue does not end: {client:?}")
}

fn offer(case: &Case) -> Offer {
    let [pipelining, chunking, size, dsn, tls, auth] = case.offered;
    let mut offer = Offer::new("mx.b.test");
    let switched = [
        (pipelining, Features::PIPELINING),
        (chunking, Features::CHUNKING.with(Features::BINARYMIME)),
        (size, Features::SIZE),
        (dsn, Features::DSN),
    ];
    for (_, feature) in switched.into_iter().filter(|(on, _)| !on) {
        offer.features = offer.features.without(feature);
    }
    offer.tls_available = tls;
    offer.auth = match auth {
        true => AuthOffer::always(Mechanisms::BY_PASSWORD),
        false => AuthOffer::NEVER,
    };
    offer.errors_max = 10_000;
    offer.refusals_max = 10_000;
    offer
}

fn plan(case: &Case) -> Plan {
    let mut plan = Plan::new("mx.a.test");
    plan.avoid = case.avoid;
    if case.offered[5] {
        let (user, password) = (USER.to_owned(), PASSWORD.to_owned());
        plan.credentials = Some(Arc::new(Credentials {
            in_clear_allowed: true,
            ..Credentials::new(user, password)
        }));
    }
    plan
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let (finished, kept) = play(case);
    prop_assert_eq!(finished.len(), case.messages.len());
    let mut kept = kept.into_iter();
    for ((envelope, content), outcomes) in case.messages.iter().zip(finished) {
        prop_assert_eq!(outcomes.len(), envelope.recipients.len());
        for (recipient, outcome) in envelope.recipients.iter().zip(&outcomes) {
            let right = match (verdict(recipient), outcome) {
                (Ok(()), Outcome::Relayed(reply)) => reply.code == 250,
                (Err(reply), Outcome::Failed(_)) => reply.is_permanent(),
                (Err(reply), Outcome::Deferred(_)) => reply.is_transient(),
                _ => false,
            };
            prop_assert!(right, "{:?}: {:?}", recipient, outcome);
        }
        let accepted: Vec<_> =
            envelope.recipients.iter().filter(|recipient| verdict(recipient).is_ok()).collect();
        if !accepted.is_empty() {
            let (arrived, received) = kept.next().expect("it was kept");
            prop_assert_eq!(received, content.clone());
            prop_assert_eq!(arrived.reverse_path, envelope.reverse_path.clone());
            let paths: Vec<_> = arrived.recipients.iter().map(|r| &r.forward_path).collect();
            let expected: Vec<_> = accepted.iter().map(|r| &r.forward_path).collect();
            prop_assert_eq!(paths, expected);
            if case.offered[3] {
                prop_assert_eq!(
                    (arrived.ret, arrived.envid),
                    (envelope.ret, envelope.envid.clone())
                );
                prop_assert!(arrived.recipients.iter().eq(accepted), "DSN parameters");
            }
        }
    }
    prop_assert!(kept.next().is_none(), "more was kept than was sent");
    Ok(())
}

/// Lines that like dots, and now and then a long one. Every line ends with CRLF, as text does.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => "[.]{0,3}[a-z .]{0,20}".prop_map(String::into_bytes),
        1 => Just(Vec::new()),
        1 => Just(vec![b'x'; 900]),
    ];
    vec(line, 0..40).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|mut line| {
                line.extend_from_slice(b"\r\n");
                line
            })
            .collect()
    })
}

fn envelope() -> impl Strategy<Value = Envelope> {
    let notify = prop_oneof![
        Just(Notify::default()),
        Just(Notify::NEVER),
        any::<(bool, bool)>()
            .prop_map(|(failure, delay)| { Notify { given: true, success: true, failure, delay } }),
    ];
    let recipient = (0..3u8, 0..1_000u32, notify, any::<bool>());
    let recipients = vec(recipient, 1..90).prop_map(|recipients| {
        let named = recipients.into_iter().map(|(kind, number, notify, orcpt)| {
            let kind = ["good", "bad", "temporary"][usize::from(kind)];
            let forward_path: Address =
                format!("{kind}{number}@b.test").parse().expect("an address");
            let orcpt = orcpt.then(|| "rfc822;old@a.test".into());
            Recipient { notify, orcpt, ..Recipient::new(forward_path) }
        });
        let mut named: Vec<_> = named.collect();
        // The server takes the same recipient twice as one; here everybody counts.
        named.sort_by(|a, b| a.forward_path.cmp(&b.forward_path));
        named.dedup_by(|a, b| a.forward_path == b.forward_path);
        named
    });
    (any::<Option<bool>>(), any::<Option<bool>>(), recipients).prop_map(
        |(path, ret, recipients)| {
            let mut envelope =
                Envelope::new(path.map(|_| "ann@a.test".parse().expect("an address")));
            envelope.ret = ret.map(|full| if full { Ret::Full } else { Ret::Headers });
            envelope.envid = ret.map(|_| "id+2B1".into());
            envelope.body = BodyType::EightBitMime;
            envelope.recipients = recipients;
            envelope
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let avoid = prop_oneof![
        3 => Just(Features::NONE),
        1 => Just(Features::PIPELINING),
        1 => Just(Features::CHUNKING),
    ];
    let message = (envelope(), content());
    (any::<[bool; 6]>(), avoid, vec(message, 1..4), vec(1..400usize, 1..20))
        .prop_map(|(offered, avoid, messages, cuts)| Case { offered, avoid, messages, cuts })
}

#[test]
fn what_is_sent_arrives() {
    let config = Config { cases: 150, failure_persistence: None, ..Config::default() };
    let relayed = Rc::new(RefCell::new(0));
    TestRunner::new(config)
        .run(&case(), |case| {
            *relayed.borrow_mut() += case.messages.len();
            check(&case)
        })
        .unwrap_or_else(|trouble| panic!("{trouble}"));
    assert!(*relayed.borrow() >= 150);
}

/// The same in pieces of one octet, with a group of more commands than may be under way at once.
#[test]
fn octet_by_octet() {
    let recipients =
        (0..200).map(|number| format!("good{number}@b.test").parse().expect("an address"));
    let mut envelope = Envelope::new(None);
    envelope.recipients = recipients.map(Recipient::new).collect();
    let messages = vec![(envelope.clone(), b".\r\n".to_vec()), (envelope, Vec::new())];
    for chunking in [false, true] {
        let offered = [true, chunking, true, true, true, true];
        let case =
            Case { offered, avoid: Features::NONE, messages: messages.clone(), cuts: vec![1] };
        check(&case).expect("what is sent arrives");
    }
}

fn facts() -> TlsFacts {
    TlsFacts {
        bindable: true,
        version: "TLSv1.3".into(),
        cipher: "none".into(),
        server_name: None,
        verified: Err("not asked for".into()),
        certificate: Vec::new(),
    }
}
