//! Making a message fit a next hop that offers less than it needs (RFC 6152 section 3, RFC 3030
//! section 3, RFC 6531 section 3.6).
//!
//! | body declared | next hop lacks         | content really is | then                               |
//! |---------------|------------------------|-------------------|------------------------------------|
//! | 7BIT          | anything               | -                 | goes as it is, not looked at       |
//! | 8BITMIME      | 8BITMIME               | 7 bit             | goes as it is, as 7BIT             |
//! | 8BITMIME      | 8BITMIME               | 8 bit             | converted to 7 bit                 |
//! | BINARYMIME    | BINARYMIME or CHUNKING | lines of text     | as 8BITMIME above                  |
//! | BINARYMIME    | BINARYMIME or CHUNKING | binary            | converted to 7 bit                 |
//! | any, SMTPUTF8 | SMTPUTF8               | ASCII header      | goes without SMTPUTF8              |
//!
//! What can't be converted fails with the keyword that the next hop lacks.

use std::io;

use bytes::{Bytes, BytesMut};
use message::header::{self, ContentFacts};
use smtp::{BodyType, Cause, EnhancedStatus, Envelope, Outcome, Stage, Trouble, client::Features};

use crate::content::{Content, Memory};

/// Content is converted in memory, up to this many octets.
const CONVERTED_MAX: u64 = 16 * 1024 * 1024;
/// Octets looked at to find out whether the header section is ASCII.
const HEADER_MAX: usize = 256 * 1024;
/// RFC 5322 section 2.1.1.
const LINE_MAX: usize = 998;
const PIECE: usize = 256 * 1024;

/// How a message goes to one next hop.
#[derive(Debug)]
pub(crate) struct Fitting {
    pub(crate) body: BodyType,
    pub(crate) smtputf8: bool,
    /// In place of the content as received.
    converted: Option<Memory>,
    /// For the transcript, where something was changed.
    pub(crate) note: Option<String>,
}

/// Why it can't go there.
#[derive(Debug)]
pub(crate) struct Unfit {
    permanent: bool,
    cause: Cause,
}

impl Fitting {
    pub(crate) fn content<'a>(&'a self, original: &'a dyn Content) -> &'a dyn Content {
        match &self.converted {
            Some(converted) => converted,
            None => original,
        }
    }
}

impl Unfit {
    fn failed(status: (u8, u16, u16), text: String) -> Self {
        let status = EnhancedStatus::new(status.0, status.1, status.2);
        Self {
            permanent: true,
            cause: Cause { stage: Stage::Mail, trouble: Trouble::Local(status, text) },
        }
    }

    fn unreadable(error: &io::Error) -> Self {
        let text = format!("the content could not be read: {error}");
        let trouble = Trouble::Local(EnhancedStatus::new(4, 3, 0), text);
        Self { permanent: false, cause: Cause { stage: Stage::Mail, trouble } }
    }

    pub(crate) fn trouble(&self) -> &Trouble {
        &self.cause.trouble
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match self.permanent {
            true => Outcome::Failed(self.cause.clone()),
            false => Outcome::Deferred(self.cause.clone()),
        }
    }
}

/// What to send where `usable` is what can be used. Looks at the content only if it must.
pub(crate) async fn fit(
    envelope: &Envelope,
    content: &dyn Content,
    usable: Features,
) -> Result<Fitting, Unfit> {
    let smtputf8 =
        envelope.smtputf8 && (usable.has(Features::SMTPUTF8) || !has_ascii_header(content).await?);
    let as_it_is = |body| Fitting { body, smtputf8, converted: None, note: None };
    if carries(usable, envelope.body) {
        return Ok(as_it_is(envelope.body));
    }
    let lacking = keyword(envelope.body);
    let facts = facts_of(content).await?;
    let text = !facts.nul && !facts.bare_line_ending && facts.line_length_max <= LINE_MAX;
    // Declared 8BITMIME, its line lengths are as they were when it was accepted.
    let text = text || envelope.body == BodyType::EightBitMime;
    let body = if facts.eight_bit { BodyType::EightBitMime } else { BodyType::SevenBit };
    if text && carries(usable, body) {
        let note =
            Some(format!("the next hop does not offer {lacking}; the content does not need it"));
        return Ok(Fitting { note, ..as_it_is(body) });
    }
    let whole = whole(content, lacking).await?;
    let converted = message::seven_bit::convert(&whole).map_err(|why| {
        let text = format!(
            "the next hop does not offer {lacking} and the content can't be converted: {why}"
        );
        Unfit::failed((5, 6, 3), text)
    })?;
    let note = format!("the next hop does not offer {lacking}; the content was converted to 7 bit");
    let converted = Some(Memory(Bytes::from(converted)));
    Ok(Fitting { converted, note: Some(note), ..as_it_is(BodyType::SevenBit) })
}

fn carries(usable: Features, body: BodyType) -> bool {
    match body {
        BodyType::SevenBit => true,
        BodyType::EightBitMime => usable.has(Features::EIGHTBITMIME),
        BodyType::BinaryMime => usable.has(Features::BINARYMIME.with(Features::CHUNKING)),
    }
}

fn keyword(body: BodyType) -> &'static str {
    match body {
        BodyType::BinaryMime => "BINARYMIME with CHUNKING",
        BodyType::EightBitMime | BodyType::SevenBit => "8BITMIME",
    }
}

async fn has_ascii_header(content: &dyn Content) -> Result<bool, Unfit> {
    let start = content.read(0, HEADER_MAX).await.map_err(|error| Unfit::unreadable(&error))?;
    let facts = header::scan(&start);
    Ok(facts.complete && !facts.eight_bit)
}

/// As [`header::content_facts`] of the whole, piece by piece: a line that is cut counts as two, and a
/// piece that ends in CR is joined with what follows.
async fn facts_of(content: &dyn Content) -> Result<ContentFacts, Unfit> {
    let mut whole = ContentFacts::default();
    let mut offset = 0;
    while offset < content.len() {
        let mut piece =
            content.read(offset, PIECE).await.map_err(|error| Unfit::unreadable(&error))?;
        if piece.is_empty() {
            return Err(Unfit::unreadable(&io::ErrorKind::UnexpectedEof.into()));
        }
        let last = offset + piece.len() as u64 == content.len();
        if !last && piece.len() > 1 && piece.ends_with(b"\r") {
            piece.truncate(piece.len() - 1);
        }
        offset += piece.len() as u64;
        let facts = header::content_facts(&piece);
        whole.eight_bit |= facts.eight_bit;
        whole.nul |= facts.nul;
        whole.bare_line_ending |= facts.bare_line_ending;
        whole.line_length_max = whole.line_length_max.max(facts.line_length_max);
    }
    Ok(whole)
}

async fn whole(content: &dyn Content, lacking: &str) -> Result<Bytes, Unfit> {
    if content.len() > CONVERTED_MAX {
        let text = format!(
            "the next hop does not offer {lacking}, and {} octets are too many to be converted (up to {CONVERTED_MAX})",
            content.len()
        );
        return Err(Unfit::failed((5, 6, 3), text));
    }
    let mut whole = BytesMut::new();
    while (whole.len() as u64) < content.len() {
        let piece = content
            .read(whole.len() as u64, PIECE)
            .await
            .map_err(|error| Unfit::unreadable(&error))?;
        if piece.is_empty() {
            return Err(Unfit::unreadable(&io::ErrorKind::UnexpectedEof.into()));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}
