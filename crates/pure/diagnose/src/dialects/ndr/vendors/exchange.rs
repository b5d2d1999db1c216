//! What the generations of Exchange have in common: who generated the report, and whether the words behind
//! the recipient are its own (`RESOLVER.`, `STOREDRV.`) or another server's.

use smtp::Stage;

use super::super::{parts::Parts, text};
use crate::testimony::{Speaker, Testimony};

/// `Generating server: NAME` wrote it; `NAME #550 ...` or a line `NAME` in front of
/// `Remote Server returned` spoke.
pub(super) fn refine(parts: &Parts, testimony: &mut Testimony) {
    if let Some(writer) = generating_server(&parts.text) {
        testimony.writer = Some(writer);
    }
    let lower = testimony.words.to_ascii_lowercase();
    // The parts of Exchange that decide before, or without, any dialogue with another server.
    let own = [
        ("resolver.", Stage::Routing),
        ("storedrv.", Stage::Mailbox),
        ("queue.expired", Stage::Routing),
        ("routing.", Stage::Routing),
    ];
    if let Some((_, stage)) = own.iter().find(|(mark, _)| lower.contains(mark)) {
        testimony.speaker = Speaker::Writer;
        testimony.stage = Some(*stage);
        testimony.stage_is_told = true;
        return;
    }
    if let Some(host) = remote_server(&parts.text, testimony.recipient.as_deref()) {
        testimony.speaker = match testimony.writer.as_deref() {
            Some(writer) if writer.eq_ignore_ascii_case(&host) => Speaker::Writer,
            _ => Speaker::Remote(host),
        };
    }
}

/// In front of the server that wrote the report, in the languages of Exchange; in lower case as far as ASCII goes.
const GENERATING: [&str; 8] = [
    "generating server",
    "generierender server",
    "serveur de génération",
    "servidor de generación",
    "server di generazione",
    "servidor de geração",
    "生成サーバー",
    "生成服务器",
];

/// Where the label that names the writer begins, and where it ends, behind its colon.
fn label(text: &str) -> Option<(usize, usize)> {
    // ASCII letters only change their case, so places are the same.
    let lower = text.to_ascii_lowercase();
    GENERATING.iter().find_map(|label| {
        let at = lower.find(label)?;
        let end = at + label.len();
        let rest = text[end..].trim_start_matches([' ', '\u{a0}', ':', '\u{ff1a}']);
        // A label, not words in a sentence.
        (rest.len() < text.len() - end).then_some((at, text.len() - rest.len()))
    })
}

fn generating_server(text: &str) -> Option<String> {
    let (_, end) = label(text)?;
    text[end..].split_whitespace().next().map(|host| host.trim_end_matches(['.', ',']).to_owned())
}

/// In the part for administrators, below the recipient: a line with nothing but a host, or a host in front
/// of `#`.
fn remote_server(text: &str, recipient: Option<&str>) -> Option<String> {
    let recipient = recipient?.to_ascii_lowercase();
    let (from, _) = label(text)?;
    let mut lines = text[from..].lines().map(str::trim);
    lines.find(|line| line.to_ascii_lowercase().starts_with(&recipient))?;
    for line in lines.filter(|line| !line.is_empty()).take(3) {
        let word = line.split([' ', '\t']).next().unwrap_or("");
        let rest = line[word.len()..].trim_start();
        let is_alone = rest.is_empty() || rest.starts_with('#');
        if let Some(host) = text::host_at_start(word).filter(|_| is_alone && !word.contains('@')) {
            return Some(host);
        }
    }
    None
}
