//! One HTTP/1.1 response (RFC 9112): status, type, body. Pure.
//!
//! What the length of the body rests on is taken as RFC 9112 section 6.3 has it: chunks, Content-Length,
//! or the end of the connection.

/// A response that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Lower case, without parameters; empty if there is none.
    pub content_type: String,
    /// What it is about.
    pub body: Vec<u8>,
}

const FIELDS_MAX: usize = 64;

/// Reads what has come so far. `None`: more is needed.
///
/// # Errors
/// It is no HTTP, in one clause.
pub(super) fn read(octets: &[u8], ended: bool) -> Result<Option<Response>, String> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut fields);
    let length = match head.parse(octets) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if ended => return Err("the answer ends in its head".into()),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("the answer is no HTTP ({error})")),
    };
    let field = |wanted: &str| {
        let found = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(wanted));
        found.map(|field| String::from_utf8_lossy(field.value).trim().to_ascii_lowercase())
    };
    let status = head.code.unwrap_or_default();
    let rest = &octets[length..];
    let chunked = field("transfer-encoding").is_some_and(|coding| coding.ends_with("chunked"));
    let body = match (chunked, field("content-length")) {
        (true, _) => chunks(rest)?,
        (false, Some(length)) => {
            let length: usize =
                length.parse().map_err(|_| "its Content-Length is no number".to_owned())?;
            rest.get(..length).map(<[u8]>::to_vec)
        }
        (false, None) => ended.then(|| rest.to_vec()),
    };
    let content_type = field("content-type").unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim().to_owned();
    match body {
        Some(body) => Ok(Some(Response { status, content_type, body })),
        None if ended => Err("the answer ends in mid-body".into()),
        None => Ok(None),
    }
}

/// RFC 9112 section 7.1; `None` until the last chunk is there.
fn chunks(mut rest: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err("a chunk of the answer has no size".into()),
        };
        let size =
            usize::try_from(size).map_err(|_| "a chunk of the answer is too big".to_owned())?;
        if size == 0 {
            return Ok(Some(body));
        }
        let end = start.checked_add(size).ok_or("a chunk of the answer is too big")?;
        let Some(chunk) = rest.get(start..end) else { return Ok(None) };
        body.extend_from_slice(chunk);
        match rest.get(end..end + 2) {
            Some(b"\r\n") => rest = &rest[end + 2..],
            Some(_) => return Err("a chunk of the answer has no end".into()),
            None => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bodies_of_every_kind() {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\n";
        for (rest, ended, expected) in [
            ("Content-Length: 3\r\n\r\nabcdef", false, Ok(Some("abc"))),
            ("Content-Length: 9\r\n\r\nabc", false, Ok(None)),
            ("Content-Length: 9\r\n\r\nabc", true, Err("the answer ends in mid-body")),
            ("Content-Length: x\r\n\r\nabc", true, Err("its Content-Length is no number")),
            ("\r\nabc", false, Ok(None)),
            ("\r\nabc", true, Ok(Some("abc"))),
            ("", true, Err("the answer ends in its head")),
            (
                "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n",
                false,
                Ok(Some("abc")),
            ),
            ("Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", false, Ok(None)),
            (
                "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
                false,
                Err("a chunk of the answer has no size"),
            ),
            (
                "Transfer-Encoding: chunked\r\n\r\n1\r\nabc",
                false,
                Err("a chunk of the answer has no end"),
            ),
        ] {
            let found = read(format!("{head}{rest}").as_bytes(), ended);
            let found = found.map(|found| {
                found.map(|response| {
                    assert_eq!(
                        (response.status, response.content_type.as_str()),
                        (200, "text/plain")
                    );
                    String::from_utf8(response.body).unwrap()
                })
            });
            let expected = expected.map(|body| body.map(str::to_owned)).map_err(str::to_owned);
            assert_eq!(found, expected, "{rest:?}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..300), ended: bool) {
            let _ = read(&octets, ended);
            let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            chunked.extend(&octets);
            let _ = read(&chunked, ended);
        }
    }
}
