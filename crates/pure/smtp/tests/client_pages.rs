//! Plays the pages tests/golden/client-*.md: whole, and with all that goes in cut into pieces of 1 to 7
//! octets. It must read the same.
//!
//! A page is prose with blocks. `plan` and `message` set what the next dialogues start from; each
//! `smtp` block is one dialogue:
//!
//! | line               | meaning                                                                |
//! |--------------------|------------------------------------------------------------------------|
//! | `S: text`          | the next hop says that line                                            |
//! | `C: text`          | the client has written that line by now, and no more than is shown;    |
//! |                    | without a line ending `\` stands at its end                            |
//! | `-> send`          | the driver begins the message's transaction; also `quit`, `command X`  |
//! | `-- closes`        | the next hop closes; also `silence`, `network X`, `TLS stands`, `TLS fails X`, `content fails X` |
//! | `=> word`          | the machine put that out by now                                        |

mod sasl_driver;

use std::{fmt::Write, fs, path::PathBuf, sync::Arc, time::Duration};

use sasl::{Mechanism, Secret};
use smtp::{
    Address, BodyType, ByMode, Cause, DeliverBy, Envelope, Notify, Outcome, Recipient, Ret,
    Timestamp, TlsFacts, Trouble, ValidSince,
    client::{Client, Credentials, Features, Output, Plan, Proof, Protocol, StartTls, Transaction},
};

#[test]
fn pages() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/golden");
    let mut played = 0;
    for entry in fs::read_dir(folder).expect("tests/golden is there") {
        let path = entry.expect("tests/golden can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("client-") && name.ends_with(".md") {
            played += play_page(&name, &fs::read_to_string(&path).expect("a page is text"));
        }
    }
    assert!(played >= 40, "only {played} dialogues were found");
}

fn play_page(name: &str, page: &str) -> usize {
    let (mut setting, mut played) = (Setting::default(), 0);
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) else { continue };
        let block: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        match kind {
            "plan" => setting.plan = read_plan(&block),
            "message" => setting.message = read_message(&block),
            "smtp" => {
                let place = format!("{name}:{}", number + 1);
                play(&place, &setting, &block);
                played += 1;
            }
            other => panic!("{name}:{}: no block is called `{other}`", number + 1),
        }
    }
    played
}

fn play(place: &str, setting: &Setting, block: &[&str]) {
    let written = block.join("\n") + "\n";
    let mut transcript = None;
    for size in [usize::MAX, 1, 2, 3, 4, 5, 6, 7] {
        let mut player = Player::new(setting, size);
        let seen = player.play(block);
        assert!(seen == written, "{place}, pieces of {size}:\n{seen}-- the page has:\n{written}");
        // The same evidence too, however the octets came.
        let lines = player.client.transcript().lines();
        let lines = lines.map(|line| format!("{:?} {}", line.by, line.text.escape_ascii()));
        let lines: Vec<String> = lines.collect();
        assert_eq!(transcript.get_or_insert_with(|| lines.clone()), &lines, "{place}: transcript");
    }
}

#[derive(Default)]
struct Setting {
    plan: PlanBlock,
    message: Message,
}

struct PlanBlock(Plan);

impl Default for PlanBlock {
    fn default() -> Self {
        Self(Plan::new("mx.a.test"))
    }
}

#[derive(Clone, Default)]
struct Message {
    envelope: Option<Envelope>,
    content: Vec<u8>,
}

fn read_plan(block: &[&str]) -> PlanBlock {
    let mut plan = Plan::new("mx.a.test");
    for line in block {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["LMTP"] => plan.protocol = Protocol::Lmtp,
            ["TLS", "never"] => plan.start_tls = StartTls::Never,
            ["TLS", "required"] => plan.start_tls = StartTls::Required,
            ["TLS", "implicit"] => plan.under_tls = true,
            ["avoid", name] => {
                plan.avoid = plan.avoid.with(Features::by_name(name).expect("a feature"));
            }
            ["use", name] => {
                plan.allow = plan.allow.with(Features::by_name(name).expect("a feature"));
            }
            ["credentials", user, password, ref rest @ ..] => {
                let in_clear_allowed = rest == ["in", "clear"];
                let credentials = Credentials::new(user, password);
                plan.credentials = Some(Arc::new(Credentials { in_clear_allowed, ..credentials }));
            }
            ["token", user, token] => {
                let proof = Proof::Token(Secret::new(token));
                let credentials = Credentials { proof, ..Credentials::new(user, "") };
                plan.credentials = Some(Arc::new(credentials));
            }
            ["mechanisms", ref names @ ..] => {
                let names = names.iter().map(|name| name.parse::<Mechanism>());
                let mechanisms = names.collect::<Result<_, _>>().expect("mechanisms");
                let credentials = plan.credentials.as_deref().expect("credentials come first");
                let credentials = Credentials { mechanisms, ..credentials.clone() };
                plan.credentials = Some(Arc::new(credentials));
            }
            _ => panic!("no plan line is like `{line}`"),
        }
    }
    PlanBlock(plan)
}

/// `from` and `to` lines with parameters, an empty line, the content.
fn read_message(block: &[&str]) -> Message {
    let mut envelope = Envelope::new(None);
    let mut lines = block.iter();
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let (verb, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let path = path.trim_start_matches('<').trim_end_matches('>');
        let address: Option<Address> =
            (!path.is_empty()).then(|| path.parse().expect("an address"));
        match (verb, address) {
            ("from", address) => {
                envelope.reverse_path = address;
                words.for_each(|word| read_mail_parameter(&mut envelope, word));
            }
            ("to", Some(address)) => {
                let mut recipient = Recipient::new(address);
                words.for_each(|word| read_rcpt_parameter(&mut recipient, word));
                envelope.recipients.push(recipient);
            }
            _ => panic!("no message line is like `{line}`"),
        }
    }
    let content = lines.map(|line| format!("{line}\r\n")).collect::<String>().into_bytes();
    // `\` at the end of a page's content stands for content that does not end with CRLF.
    let content = content.strip_suffix(b"\\\r\n").map(<[u8]>::to_vec).unwrap_or(content);
    Message { envelope: Some(envelope), content }
}

fn read_mail_parameter(envelope: &mut Envelope, word: &str) {
    match word.split_once('=').unwrap_or((word, "")) {
        ("BODY", "8BITMIME") => envelope.body = BodyType::EightBitMime,
        ("BODY", "BINARYMIME") => envelope.body = BodyType::BinaryMime,
        ("SMTPUTF8", "") => envelope.smtputf8 = true,
        ("RET", "HDRS") => envelope.ret = Some(Ret::Headers),
        ("RET", "FULL") => envelope.ret = Some(Ret::Full),
        ("REQUIRETLS", "") => envelope.require_tls = true,
        ("BY", by) => {
            let (seconds, mode) = by.split_once(';').expect("seconds and mode");
            envelope.deliver_by = Some(DeliverBy {
                seconds: seconds.parse().expect("seconds"),
                mode: if mode.starts_with('R') { ByMode::Return } else { ByMode::Notify },
                trace: mode.ends_with('T'),
            });
        }
        ("MT-PRIORITY", priority) => envelope.priority = priority.parse().ok(),
        ("SOLICIT", classes) => envelope.solicit = Some(classes.into()),
        ("ENVID", envid) => envelope.envid = Some(envid.into()),
        _ => panic!("no parameter of `from` is like `{word}`"),
    }
}

fn read_rcpt_parameter(recipient: &mut Recipient, word: &str) {
    match word.split_once('=').unwrap_or((word, "")) {
        ("NOTIFY", list) => {
            let has = |name| list.split(',').any(|item| item == name);
            let (success, failure, delay) = (has("SUCCESS"), has("FAILURE"), has("DELAY"));
            recipient.notify = Notify { given: true, success, failure, delay };
        }
        ("RRVS", since) => {
            let (at, mode) = since.split_once(';').expect("a time and a mode");
            let at = Timestamp::from_rfc3339(at).expect("a time");
            recipient.valid_since = Some(ValidSince { at, strict: mode == "R" });
        }
        ("ORCPT", orcpt) => recipient.orcpt = Some(orcpt.into()),
        _ => panic!("no parameter of `to` is like `{word}`"),
    }
}

/// Plays one dialogue and writes down what it came to, in the page's own form.
struct Player {
    client: Client,
    message: Message,
    size: usize,
    now: Duration,
    seen: String,
    /// What the client wrote, as it would have gone over the wire.
    written: Vec<u8>,
    /// `content fails` is to come instead of the content's second half.
    content_fails: Option<String>,
}

impl Player {
    fn new(setting: &Setting, size: usize) -> Self {
        let plan = Arc::new(setting.plan.0.clone());
        Self {
            client: Client::new(plan, Duration::ZERO),
            message: setting.message.clone(),
            size,
            now: Duration::ZERO,
            seen: String::new(),
            written: Vec::new(),
            content_fails: None,
        }
    }

    fn play(&mut self, block: &[&str]) -> String {
        let mut said: Vec<u8> = Vec::new();
        let mut lines = block.iter().peekable();
        while let Some(line) = lines.next() {
            self.now += Duration::from_secs(1);
            if let Some(text) = line.strip_prefix("S: ").or((*line == "S:").then_some("")) {
                let _ = writeln!(self.seen, "{line}");
                said.extend_from_slice(text.as_bytes());
                said.extend_from_slice(b"\r\n");
                if !lines.peek().is_some_and(|next| next.starts_with("S:")) {
                    self.hear(&std::mem::take(&mut said));
                }
            } else if let Some(text) = line.strip_prefix("-> ").or(line.strip_prefix("-- ")) {
                let _ = writeln!(self.seen, "{line}");
                self.act(text);
            }
        }
        std::mem::take(&mut self.seen)
    }

    fn hear(&mut self, octets: &[u8]) {
        let mut outputs = Vec::new();
        for piece in octets.chunks(self.size.min(octets.len())) {
            self.client.feed(self.now, piece);
            outputs.extend(self.drain());
        }
        self.show(outputs);
    }

    fn act(&mut self, text: &str) {
        let now = self.now;
        match text.split_once(' ').unwrap_or((text, "")) {
            ("send", "") => {
                let envelope = self.message.envelope.clone().expect("a message block comes first");
                let size = self.message.content.len() as u64;
                self.client.begin(now, Transaction::new(Arc::new(envelope), size));
            }
            ("quit", "") => self.client.quit(now),
            ("command", line) => self.client.command(now, line),
            ("closes", "") => self.client.closed_by_peer(now),
            ("network", text) => self.client.network_failed(now, text.to_owned()),
            ("silence", "") => {
                let deadline = self.client.deadline().expect("something is awaited");
                self.client.expire(deadline - Duration::from_millis(1));
                assert!(self.client.poll().is_none(), "it gave up before its time");
                self.now = deadline;
                self.client.expire(deadline);
            }
            ("TLS", "stands") => self.client.tls_established(now, facts()),
            ("TLS", why) => {
                let why = why.strip_prefix("fails ").expect("`TLS stands` or `TLS fails why`");
                self.client.tls_failed(now, why.to_owned());
            }
            ("content", why) => self.content_fails = why.strip_prefix("fails ").map(str::to_owned),
            _ => panic!("nothing is called `{text}`"),
        }
        let outputs = self.drain();
        self.show(outputs);
    }

    /// What a driver does after each call.
    fn drain(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.written.append(self.client.commands());
        while let Some(output) = self.client.poll() {
            match output {
                Output::Content(_) => self.send_content(),
                Output::SignIn => {
                    self.client.sign_in(self.now, sasl_driver::client_context());
                    self.written.append(self.client.commands());
                    continue;
                }
                Output::Salt(salting) => {
                    self.client.salted(self.now, &salting.work());
                    self.written.append(self.client.commands());
                    continue;
                }
                _ => {}
            }
            outputs.push(output);
        }
        outputs
    }

    fn send_content(&mut self) {
        let content = self.message.content.clone();
        let sent = if self.content_fails.is_some() { content.len() / 2 } else { content.len() };
        for piece in content[..sent].chunks(self.size.min(sent.max(1))) {
            if self.client.passes_whole(self.now, piece) {
                self.written.extend_from_slice(piece);
            } else {
                self.client.frame(self.now, piece, &mut self.written);
            }
        }
        match self.content_fails.take() {
            Some(why) => {
                self.client.content_failed(self.now, Trouble::Local(status("4.3.0"), why));
            }
            None => self.client.content_sent(self.now),
        }
        self.written.append(self.client.commands());
    }

    fn show(&mut self, outputs: Vec<Output>) {
        let written = String::from_utf8_lossy(&self.written).replace('\0', "\\0");
        for line in written.split_inclusive('\n') {
            let open = if line.ends_with("\r\n") { "" } else { "\\" };
            let shown = format!("C: {}{open}", line.trim_end_matches("\r\n"));
            let _ = writeln!(self.seen, "{}", shown.trim_end());
        }
        self.written.clear();
        for output in outputs {
            show_output(&mut self.seen, output);
        }
    }
}

fn show_output(seen: &mut String, output: Output) {
    let _ = match output {
        Output::StartTls => writeln!(seen, "=> start TLS"),
        Output::Ready => writeln!(seen, "=> ready"),
        Output::Content(framing) => writeln!(seen, "=> content {framing:?}"),
        Output::Replied(reply) => writeln!(seen, "=> replied {reply}"),
        Output::SignIn => writeln!(seen, "=> sign in"),
        Output::Gss(ask) => writeln!(seen, "=> GSSAPI {ask:?}"),
        Output::Salt(_) => Ok(()),
        Output::Close => writeln!(seen, "=> close"),
        Output::Failed { cause, permanent } => {
            let how = if permanent { "session failed for good" } else { "session failed" };
            writeln!(seen, "=> {how} {}", show_cause(&cause, permanent))
        }
        Output::Finished(outcomes) => outcomes.into_iter().try_for_each(|outcome| match outcome {
            Outcome::Relayed(reply) => writeln!(seen, "=> relayed {reply}"),
            Outcome::Deferred(cause) if cause.is_too_many_recipients() => {
                writeln!(seen, "=> deferred (too many) {}", show_cause(&cause, false))
            }
            Outcome::Deferred(cause) => writeln!(seen, "=> deferred {}", show_cause(&cause, false)),
            Outcome::Failed(cause) => writeln!(seen, "=> failed {}", show_cause(&cause, true)),
        }),
    };
}

fn show_cause(cause: &Cause, permanent: bool) -> String {
    let status = match &cause.trouble {
        // Shown with the reply itself.
        Trouble::Reply(_) => String::new(),
        _ => format!("{} ", cause.status(permanent)),
    };
    format!("at {}: {status}{}", cause.stage, cause.trouble)
}

fn status(text: &str) -> smtp::EnhancedStatus {
    text.parse().expect("a status")
}

fn facts() -> TlsFacts {
    TlsFacts {
        bindable: false,
        version: "TLSv1.3".into(),
        cipher: "TLS13_AES_256_GCM_SHA384".into(),
        server_name: Some("mx.b.test".into()),
        verified: Err("not asked for".into()),
        certificate: Vec::new(),
    }
}
