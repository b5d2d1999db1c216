//! What of an envelope fits into one transaction of a next hop that has limits (LIMITS, RFC 9422). Pure.

use std::collections::BTreeSet;

use smtp::{Envelope, client::Limits};

/// The recipients that go now and those that are left, as numbers in the envelope. At least one goes.
pub(crate) fn divide(envelope: &Envelope, limits: &Limits) -> (Vec<usize>, Vec<usize>) {
    let most = |limit: Option<u32>| limit.map_or(usize::MAX, |limit| limit as usize);
    let (recipients_max, domains_max) = (most(limits.rcpt_max), most(limits.rcpt_domain_max));
    let mut domains = BTreeSet::new();
    let (mut fit, mut rest) = (Vec::new(), Vec::new());
    for (number, recipient) in envelope.recipients.iter().enumerate() {
        let domain = recipient.forward_path.domain().to_ascii_lowercase();
        let has_room = domains.contains(&domain) || domains.len() < domains_max;
        if fit.len() < recipients_max && has_room {
            domains.insert(domain);
            fit.push(number);
        } else {
            rest.push(number);
        }
    }
    (fit, rest)
}

#[cfg(test)]
mod tests {
    use smtp::Recipient;

    use super::*;

    #[test]
    fn divisions() {
        let mut envelope = Envelope::new(None);
        for address in ["a@x.test", "b@y.test", "c@X.test", "d@z.test"] {
            envelope.recipients.push(Recipient::new(address.parse().unwrap()));
        }
        type Row<'a> = (Option<u32>, Option<u32>, &'a [usize], &'a [usize]);
        let rows: [Row<'_>; 5] = [
            (None, None, &[0, 1, 2, 3], &[]),
            (Some(3), None, &[0, 1, 2], &[3]),
            (None, Some(1), &[0, 2], &[1, 3]),
            (Some(1), Some(1), &[0], &[1, 2, 3]),
            (Some(2), Some(2), &[0, 1], &[2, 3]),
        ];
        for (rcpt_max, rcpt_domain_max, fit, rest) in rows {
            let limits = Limits { mail_max: None, rcpt_max, rcpt_domain_max };
            assert_eq!(divide(&envelope, &limits), (fit.to_vec(), rest.to_vec()), "{limits:?}");
        }
    }
}
