//! One connection through the box.

use std::{collections::HashMap, io, sync::Arc};

use smtp::Party;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::net::Stream;

use super::{
    Recordings, alter,
    client::{Client, Piece},
    pending::Pending,
};
use crate::{
    recording::{Recorder, Recording},
    scenario::{Act, BoxScript, Rule, Side},
    words,
};

const CHUNK: usize = 32 * 1024;

pub struct Relay {
    script: Arc<BoxScript>,
    near: Stream,
    far: Stream,
    near_recorder: Option<Recorder>,
    far_recorder: Option<Recorder>,
    client: Client,
    /// Octets of the server that are no whole line yet.
    server: Vec<u8>,
    /// Lines of a reply that is not complete yet.
    reply: Vec<Vec<u8>>,
    pending: Pending,
    /// How often each kind of line came.
    times: HashMap<(bool, String), u32>,
    /// Octets of the content that passes.
    content: usize,
    /// Its beginning, while a rule is about contents that are longer than that: what the client writes in small
    /// pieces goes over a network in packets as big as they can be.
    held: Vec<u8>,
    /// That side's words are swallowed from now on.
    is_deaf: (bool, bool),
    /// Under TLS, or after an end: octets pass as they are.
    is_opaque: bool,
    /// STARTTLS went on to the server.
    wants_tls: bool,
}

/// Whether the connections stay open.
#[derive(PartialEq, Eq)]
enum Goes {
    On,
    Ends,
}

impl Relay {
    pub fn new(script: Arc<BoxScript>, near: Stream, far: Stream, recordings: &Recordings) -> Self {
        Self {
            near_recorder: recorder(recordings.near.as_ref(), &near, true),
            far_recorder: recorder(recordings.far.as_ref(), &far, false),
            script,
            near,
            far,
            client: Client::new(),
            server: Vec::new(),
            reply: Vec::new(),
            pending: Pending::new(),
            times: HashMap::new(),
            content: 0,
            held: Vec::new(),
            is_deaf: (false, false),
            is_opaque: false,
            wants_tls: false,
        }
    }

    /// To the end of either connection.
    pub async fn run(mut self) {
        if let Err(error) = self.pass().await {
            tracing::debug!(%error, "a connection through the box broke off");
        }
    }

    async fn pass(&mut self) -> io::Result<()> {
        let (mut from_client, mut from_server) = (vec![0; CHUNK], vec![0; CHUNK]);
        loop {
            tokio::select! {
                biased;
                count = self.far.read(&mut from_server) => {
                    let Ok(count) = count else { return self.broken_off(Party::Server) };
                    if count == 0 {
                        return self.server_closed().await;
                    }
                    note(&mut self.far_recorder, Party::Server, &from_server[..count]);
                    if self.server_said(&from_server[..count]).await? == Goes::Ends {
                        return Ok(());
                    }
                }
                count = self.near.read(&mut from_client) => {
                    let Ok(count) = count else { return self.broken_off(Party::Client) };
                    if count == 0 {
                        return self.client_closed().await;
                    }
                    if self.client_said(&from_client[..count]).await? == Goes::Ends {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn pass_to_server(&mut self, octets: &[u8]) -> io::Result<()> {
        note(&mut self.far_recorder, Party::Client, octets);
        self.far.write_all(octets).await
    }

    async fn pass_to_client(&mut self, octets: &[u8]) -> io::Result<()> {
        note(&mut self.near_recorder, Party::Server, octets);
        self.near.write_all(octets).await
    }

    async fn server_closed(&mut self) -> io::Result<()> {
        for recorder in [&mut self.near_recorder, &mut self.far_recorder].into_iter().flatten() {
            recorder.closed(Party::Server);
        }
        self.near.shutdown().await
    }

    async fn client_closed(&mut self) -> io::Result<()> {
        for recorder in [&mut self.near_recorder, &mut self.far_recorder].into_iter().flatten() {
            recorder.closed(Party::Client);
        }
        self.far.shutdown().await
    }

    /// One end broke off: so does the box towards the other.
    fn broken_off(&mut self, by: Party) -> io::Result<()> {
        for recorder in [&mut self.near_recorder, &mut self.far_recorder].into_iter().flatten() {
            recorder.reset(by);
        }
        self.near.reset_on_drop()?;
        self.far.reset_on_drop()
    }

    async fn client_said(&mut self, octets: &[u8]) -> io::Result<Goes> {
        self.client.feed(octets);
        if self.is_opaque {
            let rest = self.client.rest();
            note(&mut self.near_recorder, Party::Client, &rest);
            self.pass_to_server(&rest).await?;
            return Ok(Goes::On);
        }
        let mut is_pipelined = self.pending.waits();
        loop {
            let holds =
                self.rule(Side::Client, "CONTENT", |rule| rule.act == Act::CutEnd).is_some();
            let Some(piece) = self.client.piece(holds) else { break };
            let goes = match piece {
                Piece::Line(line) => {
                    let goes = self.command(line, is_pipelined).await?;
                    is_pipelined = true;
                    goes
                }
                Piece::Octets(octets, ends) => self.octets(octets, ends).await?,
            };
            if goes == Goes::Ends {
                return Ok(Goes::Ends);
            }
        }
        Ok(Goes::On)
    }

    async fn command(&mut self, line: Vec<u8>, is_pipelined: bool) -> io::Result<Goes> {
        note(&mut self.near_recorder, Party::Client, &line);
        let verb = words::verb(&line);
        if verb == "BDAT" {
            self.client.block_follows(words::announced(&line));
        }
        if self.is_deaf.0 {
            return Ok(Goes::On);
        }
        let times = self.count(Side::Client, &verb);
        let fits = |rule: &Rule| {
            counts(rule, times)
                && (is_pipelined || !rule.pipelined)
                && rule.longer.is_none_or(|longer| line.len() > longer)
        };
        let Some(rule) = self.rule(Side::Client, &verb, fits) else {
            return self.forward(&verb, &line).await;
        };
        match rule.act {
            Act::Pass | Act::CutEnd => self.forward(&verb, &line).await,
            Act::Mask => self.forward(&verb, &alter::masked_command(&line)).await,
            Act::Replace => {
                let with = rule.with.unwrap_or_default();
                self.forward(&verb, &alter::replaced_command(&line, &with)).await
            }
            Act::Remove => {
                if let Some(answer) = &rule.answer {
                    self.pending.kept(&verb, answer);
                    self.say_what_is_due().await?;
                }
                Ok(Goes::On)
            }
            Act::Swallow => {
                self.is_deaf.0 = true;
                Ok(Goes::On)
            }
            Act::Close | Act::Reset => self.end(rule.act).await,
        }
    }

    async fn forward(&mut self, verb: &str, line: &[u8]) -> io::Result<Goes> {
        self.pending.sent(verb);
        self.wants_tls |= verb == "STARTTLS";
        self.pass_to_server(line).await?;
        Ok(Goes::On)
    }

    async fn octets(&mut self, mut octets: Vec<u8>, ends: bool) -> io::Result<Goes> {
        if self.is_deaf.0 {
            self.near.lose(octets.len());
            return Ok(Goes::On);
        }
        self.content += octets.len();
        let is_short = |rule: &Rule| {
            rule.of == Side::Client
                && rule.at == "CONTENT"
                && rule.longer.is_some_and(|longer| self.content <= longer)
        };
        if !ends && self.script.rule.iter().any(is_short) {
            self.held.append(&mut octets);
            return Ok(Goes::On);
        }
        if !self.held.is_empty() {
            octets.splice(..0, std::mem::take(&mut self.held));
        }
        let length = self.content;
        if ends {
            self.content = 0;
        }
        let fits = |rule: &Rule| rule.longer.is_none_or(|longer| length > longer);
        let act = self.rule(Side::Client, "CONTENT", fits).map(|rule| rule.act);
        if !matches!(act, Some(Act::Swallow | Act::Remove)) {
            note(&mut self.near_recorder, Party::Client, &octets);
        }
        match act {
            Some(Act::Swallow | Act::Remove) => {
                self.is_deaf.0 = true;
                self.near.lose(octets.len());
                if let Some(recorder) = &mut self.near_recorder {
                    recorder.lost(Party::Client, &octets);
                }
            }
            Some(act @ (Act::Close | Act::Reset)) => return self.end(act).await,
            Some(Act::CutEnd) => {
                octets.truncate(octets.len().saturating_sub(5));
                self.pass_to_server(&octets).await?;
                self.is_deaf.0 = true;
            }
            Some(Act::Pass | Act::Mask | Act::Replace) | None => {
                self.pass_to_server(&octets).await?
            }
        }
        Ok(Goes::On)
    }

    async fn server_said(&mut self, octets: &[u8]) -> io::Result<Goes> {
        if self.is_opaque {
            self.pass_to_client(octets).await?;
            return Ok(Goes::On);
        }
        self.server.extend_from_slice(octets);
        while let Some(length) = words::line_length(&self.server) {
            let line: Vec<u8> = self.server.drain(..length).collect();
            let Some((code, is_last)) = words::code(&line) else {
                // No reply, so no rule is about it.
                self.pass_to_client(&line).await?;
                continue;
            };
            self.reply.push(line);
            if !is_last {
                continue;
            }
            let lines = std::mem::take(&mut self.reply);
            if self.reply(lines, code).await? == Goes::Ends {
                return Ok(Goes::Ends);
            }
        }
        Ok(Goes::On)
    }

    /// A whole reply.
    async fn reply(&mut self, lines: Vec<Vec<u8>>, code: u16) -> io::Result<Goes> {
        let verb = self.pending.next().to_owned();
        self.pending.answered();
        let times = self.count(Side::Server, &verb);
        let fits = |rule: &Rule| counts(rule, times);
        let rule = self.rule(Side::Server, &verb, fits);
        let lines = match rule.as_ref().map(|rule| (rule.act, rule)) {
            _ if self.is_deaf.1 => Vec::new(),
            None => lines,
            Some((Act::Close | Act::Reset, rule)) => return self.end(rule.act).await,
            Some((Act::Swallow, _)) => {
                self.is_deaf.1 = true;
                Vec::new()
            }
            Some((_, rule)) => altered(lines, rule, &verb),
        };
        self.pass_to_client(&lines.concat()).await?;
        self.say_what_is_due().await?;
        match (verb.as_str(), code) {
            ("DATA", 354) => self.client.content_follows(),
            ("STARTTLS", 220) if self.wants_tls => {
                self.is_opaque = true;
                let rest = self.client.rest();
                self.pass_to_server(&rest).await?;
            }
            _ => {}
        }
        Ok(Goes::On)
    }

    async fn say_what_is_due(&mut self) -> io::Result<()> {
        let due = self.pending.due();
        self.pass_to_client(&due).await
    }

    async fn end(&mut self, act: Act) -> io::Result<Goes> {
        // The box acts in the name of the other end.
        if let Some(recorder) = &mut self.near_recorder {
            if act == Act::Reset {
                recorder.reset(Party::Server)
            } else {
                recorder.closed(Party::Server)
            }
        }
        if let Some(recorder) = &mut self.far_recorder {
            if act == Act::Reset {
                recorder.reset(Party::Client)
            } else {
                recorder.closed(Party::Client)
            }
        }
        if act == Act::Reset {
            self.near.reset_on_drop()?;
            self.far.reset_on_drop()?;
        } else {
            self.near.shutdown().await?;
            self.far.shutdown().await?;
        }
        Ok(Goes::Ends)
    }

    fn count(&mut self, side: Side, verb: &str) -> u32 {
        let times = self.times.entry((side == Side::Client, verb.to_owned())).or_default();
        *times += 1;
        *times
    }

    fn rule(&self, of: Side, at: &str, fits: impl Fn(&Rule) -> bool) -> Option<Rule> {
        let is_for = |rule: &&Rule| {
            let any = rule.at == "ANY" && at != "CONTENT";
            rule.of == of && (any || rule.at.eq_ignore_ascii_case(at)) && fits(rule)
        };
        self.script.rule.iter().find(is_for).cloned()
    }
}

/// A connection's part in a recording; none over anything but TCP.
fn recorder(recording: Option<&Recording>, stream: &Stream, is_near: bool) -> Option<Recorder> {
    let (local, peer) = (stream.local().ok()?.socket()?, stream.peer().socket()?);
    let (client, server) = if is_near { (peer, local) } else { (local, peer) };
    Some(recording?.connection(client, server))
}

fn note(recorder: &mut Option<Recorder>, by: Party, octets: &[u8]) {
    if let Some(recorder) = recorder {
        recorder.said(by, octets);
    }
}

fn counts(rule: &Rule, times: u32) -> bool {
    rule.nth.is_none_or(|nth| nth == times) && rule.from.is_none_or(|from| times >= from)
}

/// A reply, its lines altered as the rule has it.
fn altered(lines: Vec<Vec<u8>>, rule: &Rule, verb: &str) -> Vec<Vec<u8>> {
    let concerns = |line: &[u8]| {
        rule.keywords.is_empty()
            || rule
                .keywords
                .iter()
                .any(|keyword| alter::keyword(line).eq_ignore_ascii_case(keyword))
    };
    match rule.act {
        Act::Mask if verb == "CONNECT" => {
            lines.iter().map(|line| alter::masked_greeting(line)).collect()
        }
        Act::Mask => {
            let masked =
                |line: Vec<u8>| if concerns(&line) { alter::masked_keyword(&line) } else { line };
            lines.into_iter().map(masked).collect()
        }
        Act::Remove if rule.keywords.is_empty() => Vec::new(),
        Act::Remove => {
            let kept = lines.into_iter().enumerate();
            let kept = kept.filter(|(index, line)| *index == 0 || !concerns(line));
            alter::rejoined(kept.map(|(_, line)| line).collect())
        }
        Act::Replace => {
            let with = rule.with.as_deref().unwrap_or_default();
            with.split('\n').map(|line| format!("{line}\r\n").into_bytes()).collect()
        }
        _ => lines,
    }
}
