//! A mail transaction: MAIL, RCPT, DATA or BDAT, the content, and who keeps it.

use std::time::Duration;

use super::{
    Event, Protocol, Question, Server,
    commands::RefusalKind,
    content::{Fault, Scanner},
    state::{Asked, Chunk, Chunks, State, Swallow, Transaction},
};
use crate::{
    address::{AddressError, Path},
    command::{self, Verb},
    envelope::{BodyType, Envelope, Recipient},
    extension,
    reply::{Missing, Proof, Reply},
};

/// MAIL and RCPT.
impl<P: Proof> Server<P> {
    pub(super) fn mail(&mut self, now: Duration, argument: &str) -> Result<Option<Reply>, Reply> {
        if self.state.transaction().is_some() {
            return Err(Reply::out_of_sequence(Missing::Rset));
        }
        let extended = self.facts.helo.as_ref().map(|helo| helo.extended);
        let extended = extended.ok_or_else(|| Reply::out_of_sequence(Missing::Ehlo))?;
        if self.offer.auth_required && self.facts.user.is_none() {
            return Err(Reply::auth_required());
        }
        if self.offer.transactions_max.is_some_and(|most| self.facts.transactions >= most) {
            return Err(Reply::too_many_transactions());
        }
        let (path, parameters) = path(argument, "FROM:", Verb::Mail, Reply::bad_reverse_path)?;
        let reverse_path = match path {
            Path::Null => None,
            Path::Address(address) if address.domain().is_empty() => {
                return Err(Reply::bad_reverse_path(AddressError::NoDomain.text()));
            }
            Path::Address(address) => Some(address),
        };
        let mut envelope = Envelope::new(reverse_path);
        if !extended {
            refuse_parameters(parameters)?;
        }
        extension::read_mail(&self.ground(&self.offer, now), parameters, &mut envelope)?;
        let needs_utf8 = envelope.reverse_path.as_ref().is_some_and(|path| path.needs_smtputf8());
        if needs_utf8 && !envelope.smtputf8 {
            return Err(Reply::reverse_path_needs_smtputf8());
        }
        let most = if self.facts.user.is_some() { self.offer.priority_max } else { 0 };
        let lowered = envelope.priority.filter(|&priority| priority > most).map(|_| most);
        envelope.priority = lowered.or(envelope.priority);
        self.state = State::Mail(Transaction { lowered, ..Transaction::new(envelope) });
        self.ask(Question::ReversePath, Asked::ReversePath);
        Ok(None)
    }

    pub(super) fn reverse_path_answered(&mut self, now: Duration, result: Result<(), Reply>) {
        match result {
            Ok(()) => {
                self.facts.transactions += 1;
                let lowered = self.state.transaction().and_then(|transaction| transaction.lowered);
                let ok = lowered.map_or_else(Reply::reverse_path_ok, Reply::priority_lowered);
                self.voice.say(now, &ok);
            }
            Err(reply) => {
                self.state = State::Ready;
                self.refuse_command(now, Verb::Mail.text(), reply);
            }
        }
    }

    pub(super) fn rcpt(&mut self, now: Duration, argument: &str) -> Result<Option<Reply>, Reply> {
        let offer = self.offer.clone();
        let ground = self.ground(&offer, now);
        let State::Mail(transaction) = &mut self.state else {
            return Err(self.out_of_transaction());
        };
        // Whatever goes wrong from here on, DATA has to know that there was a recipient.
        transaction.refused += 1;
        let (path, parameters) = path(argument, "TO:", Verb::Rcpt, Reply::bad_forward_path)?;
        let Path::Address(forward_path) = path else {
            return Err(Reply::bad_forward_path("the null path is for MAIL only"));
        };
        if forward_path.needs_smtputf8() && !transaction.envelope.smtputf8 {
            return Err(Reply::forward_path_needs_smtputf8());
        }
        if !self.facts.helo.as_ref().is_some_and(|helo| helo.extended) {
            refuse_parameters(parameters)?;
        }
        let mut recipient = Recipient::new(forward_path);
        extension::read_rcpt(&ground, parameters, &mut recipient)?;
        if transaction.envelope.recipients.len() >= self.offer.recipients_max {
            let reply = Reply::too_many_recipients();
            let forward_path = recipient.forward_path;
            self.report(Event::RecipientRefused { forward_path, reply: reply.clone() });
            return Ok(Some(reply));
        }
        self.ask(Question::Recipient(recipient.clone()), Asked::Recipient(recipient));
        Ok(None)
    }

    pub(super) fn recipient_answered(
        &mut self,
        now: Duration,
        recipient: Recipient,
        result: Result<(), Reply>,
    ) {
        let State::Mail(transaction) = &mut self.state else { return };
        match result {
            Ok(()) => {
                transaction.refused -= 1;
                transaction.envelope.recipients.push(recipient);
                self.voice.say(now, &Reply::recipient_ok());
            }
            Err(reply) => {
                if reply.is_permanent() && self.is_over(RefusalKind::Policy) {
                    return self.too_many(now);
                }
                self.voice.say(now, &reply);
                let forward_path = recipient.forward_path;
                self.report(Event::RecipientRefused { forward_path, reply });
            }
        }
    }

    /// Why a command that belongs into a transaction can't come now.
    fn out_of_transaction(&self) -> Reply {
        Reply::out_of_sequence(match self.state {
            State::Chunks(..) => Missing::Bdat,
            _ if self.facts.helo.is_none() => Missing::Ehlo,
            _ => Missing::Mail,
        })
    }

    /// Whether content may come now.
    fn may_begin(&self) -> Result<&Transaction, Reply> {
        let State::Mail(transaction) = &self.state else { return Err(self.out_of_transaction()) };
        match (transaction.envelope.recipients.is_empty(), transaction.refused) {
            (false, _) => Ok(transaction),
            (true, 0) => Err(Reply::out_of_sequence(Missing::Rcpt)),
            // RFC 2033 section 4.2.
            (true, _) if self.offer.protocol == Protocol::Lmtp => {
                Err(Reply::no_recipients_for_lmtp())
            }
            (true, _) => Err(Reply::no_recipients()),
        }
    }
}

/// DATA.
impl<P: Proof> Server<P> {
    pub(super) fn data(&mut self) -> Result<Option<Reply>, Reply> {
        if self.may_begin()?.envelope.body == BodyType::BinaryMime {
            return Err(Reply::binary_needs_bdat());
        }
        self.ask(Question::Begin, Asked::BeginData);
        Ok(None)
    }

    pub(super) fn begin_data(&mut self, now: Duration, result: Result<(), Reply>) {
        if let Err(reply) = result {
            return self.refuse_command(now, Verb::Data.text(), reply);
        }
        if let State::Mail(transaction) = std::mem::replace(&mut self.state, State::Ready) {
            let scanner = Scanner::dotted(self.offer.line_endings, self.offer.size_max);
            self.state = State::Data(transaction, scanner);
            self.block = 0;
            self.voice.say(now, &Reply::send_content());
        }
    }

    fn data_ended(&mut self, now: Duration) {
        if let State::Data(transaction, scanner) = std::mem::replace(&mut self.state, State::Ready)
        {
            self.content_ended(now, transaction, &scanner);
        }
    }
}

/// BDAT (RFC 3030).
impl<P: Proof> Server<P> {
    /// `checked`: whether it may come at all. Refused or not, offered or not, what it announces are no
    /// commands: a client that doesn't look at the offer would else have contents carried out.
    pub(super) fn bdat(&mut self, now: Duration, argument: &str, checked: Result<(), Reply>) {
        let (size, last, misspelt) = match command::Chunk::parse(argument) {
            command::Chunk::Size { size, last, misspelt } => (size, last, misspelt),
            command::Chunk::Malformed => {
                if checked.is_ok() {
                    self.spoil();
                }
                let reply = checked.err().unwrap_or_else(|| Reply::syntax(Verb::Bdat.usage()));
                return self.refuse_command(now, Verb::Bdat.text(), reply);
            }
            command::Chunk::Overflow => {
                let (verb, reply) = (Verb::Bdat.text(), Reply::chunk_too_large());
                self.report(Event::CommandRefused { verb, reply: reply.clone() });
                return self.say_and_close(now, &reply);
            }
        };
        let chunk = Chunk { size, left: size, last };
        let refused = match checked {
            Err(reply) => reply,
            Ok(()) if misspelt => {
                self.spoil();
                Reply::syntax(Verb::Bdat.usage())
            }
            Ok(()) => match self.may_begin() {
                Ok(_) => return self.ask(Question::Begin, Asked::BeginChunks(chunk)),
                Err(_) if matches!(self.state, State::Chunks(..)) => {
                    return self.begin_chunk(now, chunk);
                }
                Err(reply) => reply,
            },
        };
        // Its octets are on their way, and no commands.
        self.block = 0;
        self.swallow = Some(Swallow { left: size, verb: Verb::Bdat, reply: refused });
        self.swallow_chunk(now, &[]);
    }

    /// A chunk is missing from now on: what comes behind it is no content without it (RFC 3030
    /// section 2), so that only the end of the transaction is left.
    fn spoil(&mut self) {
        if self.may_begin().is_ok()
            && let State::Mail(transaction) = std::mem::replace(&mut self.state, State::Ready)
        {
            let scanner = Scanner::chunked(self.offer.line_endings, self.offer.size_max, false);
            self.state = State::Chunks(transaction, Chunks { scanner, chunk: None, refused: None });
        }
        if let State::Chunks(_, chunks) = &mut self.state {
            chunks.refused.get_or_insert_with(Reply::chunk_missing);
        }
    }

    pub(super) fn swallow_chunk(&mut self, now: Duration, octets: &[u8]) -> usize {
        let Some(mut swallow) = self.swallow.take() else { return 0 };
        let used = at_most(octets.len(), swallow.left);
        swallow.left -= used as u64;
        self.progress(now, used);
        if swallow.left > 0 {
            self.swallow = Some(swallow);
            return used;
        }
        match swallow.reply.is_positive() {
            true => self.voice.say(now, &swallow.reply),
            false => self.refuse_command(now, swallow.verb.text(), swallow.reply),
        }
        self.since = now;
        self.settle(now);
        used
    }

    /// The answer to whether content may begin: either way, this chunk's octets come.
    pub(super) fn begin_chunks(&mut self, now: Duration, chunk: Chunk, refused: Option<Reply>) {
        if let State::Mail(transaction) = std::mem::replace(&mut self.state, State::Ready) {
            let binary = transaction.envelope.body == BodyType::BinaryMime;
            let scanner = Scanner::chunked(self.offer.line_endings, self.offer.size_max, binary);
            self.state = State::Chunks(transaction, Chunks { scanner, chunk: None, refused });
            self.begin_chunk(now, chunk);
        }
    }

    fn begin_chunk(&mut self, now: Duration, chunk: Chunk) {
        if let State::Chunks(_, chunks) = &mut self.state {
            chunks.scanner.expect(chunk.size);
            chunks.chunk = Some(chunk);
            self.block = 0;
            if chunk.left == 0 {
                self.chunk_ended(now);
            }
        }
    }

    fn chunk_ended(&mut self, now: Duration) {
        let State::Chunks(_, chunks) = &mut self.state else { return };
        let Some(chunk) = chunks.chunk.take() else { return };
        self.voice.note(now, format!("chunk of {} octets", chunk.size));
        if chunk.last {
            if let State::Chunks(transaction, mut chunks) =
                std::mem::replace(&mut self.state, State::Ready)
            {
                chunks.scanner.finish(&mut self.content);
                match chunks.refused {
                    Some(reply) => {
                        let replies = self.replies_due(&transaction);
                        self.refuse_content(now, reply, chunks.scanner.length(), replies);
                    }
                    None => self.content_ended(now, transaction, &chunks.scanner),
                }
            }
            return;
        }
        let fault = chunks.scanner.fault().map(|fault| fault.reply());
        match chunks.refused.clone().or(fault) {
            Some(reply) => self.refuse_command(now, Verb::Bdat.text(), reply),
            None => self.voice.say(now, &Reply::chunk_ok()),
        }
    }
}

/// Content, however it comes.
impl<P: Proof> Server<P> {
    pub(super) fn take_content(&mut self, now: Duration, octets: &[u8]) -> usize {
        let (used, ended) = match &mut self.state {
            State::Data(_, scanner) => {
                if scanner.fault().is_none() {
                    self.content.reserve(octets.len());
                }
                (scanner.take(octets, &mut self.content), scanner.is_at_end())
            }
            State::Chunks(_, Chunks { scanner, chunk: Some(chunk), refused }) => {
                let used = at_most(octets.len(), chunk.left);
                if refused.is_none() {
                    scanner.take(&octets[..used], &mut self.content);
                }
                chunk.left -= used as u64;
                (used, chunk.left == 0)
            }
            _ => return 0,
        };
        self.progress(now, used);
        if ended {
            match self.state {
                State::Data(..) => self.data_ended(now),
                _ => self.chunk_ended(now),
            }
            self.since = now;
            self.settle(now);
        }
        used
    }

    /// Moves the deadline on when enough has come.
    fn progress(&mut self, now: Duration, octets: usize) {
        self.block += octets;
        if self.block >= super::BLOCK_LENGTH {
            self.block = 0;
            self.since = now;
        }
    }

    /// The content is complete: asks who keeps it, or refuses it.
    fn content_ended(&mut self, now: Duration, transaction: Transaction, scanner: &Scanner) {
        let length = scanner.length();
        self.voice.note(now, format!("content of {length} octets"));
        let Some(fault) = scanner.fault() else {
            self.state = State::Keeping(transaction, length);
            return self.ask(Question::Keep, Asked::Keep);
        };
        if let Fault::BareLineEnd { line, which } = fault {
            self.report(Event::BareLineEnd { line, which });
        }
        let replies = self.replies_due(&transaction);
        self.refuse_content(now, fault.reply(), length, replies);
    }

    /// Replies that are due after the content: over LMTP one for each recipient that was accepted
    /// (RFC 2033 section 4.2).
    fn replies_due(&self, transaction: &Transaction) -> usize {
        match self.offer.protocol {
            Protocol::Smtp => 1,
            Protocol::Lmtp => transaction.envelope.recipients.len(),
        }
    }

    /// The message is not ours: the transaction is over.
    fn refuse_content(&mut self, now: Duration, reply: Reply, length: u64, replies: usize) {
        self.forget_content();
        self.facts.origin = None;
        self.voice.end_transaction();
        self.report(Event::ContentRefused { reply: reply.clone(), length });
        if reply.is_permanent() && self.is_over(RefusalKind::Policy) {
            return self.too_many(now);
        }
        (0..replies).for_each(|_| self.voice.say(now, &reply));
    }

    pub(super) fn kept(&mut self, now: Duration, result: Result<P, Reply>) {
        let length = self.state.content_length();
        let replies =
            self.state.transaction().map_or(1, |transaction| self.replies_due(transaction));
        self.state = State::Ready;
        match result {
            Ok(proof) => {
                self.counts.errors = 0;
                self.forget_content();
                self.voice.end_transaction();
                self.facts.origin = None;
                let accepted = Reply::accepted(&proof);
                (0..replies).for_each(|_| self.voice.say(now, &accepted));
            }
            Err(reply) => self.refuse_content(now, reply, length, replies),
        }
    }
}

/// The path and what follows it.
fn path<'a>(
    argument: &'a str,
    keyword: &str,
    verb: Verb,
    wrong: fn(&'static str) -> Reply,
) -> Result<(Path, &'a str), Reply> {
    let text = command::after_keyword(argument, keyword).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Reply::syntax(verb.usage()))?;
    Path::split_from(text).map_err(|error| wrong(error.text()))
}

/// RFC 5321 section 2.2.1: no extensions after HELO.
fn refuse_parameters(text: &str) -> Result<(), Reply> {
    match text.split(' ').find(|word| !word.is_empty()) {
        Some(word) => Err(Reply::unknown_parameter(word.split('=').next().unwrap_or_default())),
        None => Ok(()),
    }
}

fn at_most(length: usize, left: u64) -> usize {
    usize::try_from(left).map_or(length, |left| left.min(length))
}
