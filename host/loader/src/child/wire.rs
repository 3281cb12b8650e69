//! Messages over a pipe: a fixed head (kind, length, number), then a body. What comes from a child is limited and never
//! trusted.

use std::io::{self, Read, Write};

/// Bytes of a head.
const HEAD_BYTES: usize = 16;
/// Most bytes of a body. Frames and batches lie in shared memory; the largest body is a table.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 30;
/// Bodies up to this size are sent together with their head, in one system call.
const SMALL_BYTES: usize = 4096;

/// Host to child: a request in JSON, perhaps with bytes.
pub(crate) const REQUEST: u32 = 1;
/// Host to child: track the batch that lies in the region.
pub(crate) const TRACK: u32 = 2;
/// Host to child: look up the batch that lies in the region.
pub(crate) const LOOKUP: u32 = 3;
/// Host to child: give up the job under way.
pub(crate) const CANCEL: u32 = 4;
/// Host to child: slots for a running camera.
pub(crate) const CREDIT: u32 = 5;
/// Host to child: no more slots for a running camera.
pub(crate) const CLOSED: u32 = 6;
/// Child to host: done; JSON, perhaps with bytes.
pub(crate) const DONE: u32 = 16;
/// Child to host: it failed; an error in JSON.
pub(crate) const FAILED: u32 = 17;
/// Child to host: the job goes on.
pub(crate) const TICK: u32 = 18;
/// Child to host: progress of the job, one f64.
pub(crate) const PROGRESS: u32 = 19;
/// Child to host: a frame lies in a slot.
pub(crate) const COMMIT: u32 = 20;
/// Child to host: frames were lost.
pub(crate) const LOST: u32 = 21;
/// Child to host: no more frames come.
pub(crate) const ENDED: u32 = 22;

/// The head of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Head {
    pub(crate) kind: u32,
    /// Number of the request that it belongs to, or the camera of a one-way message.
    pub(crate) number: u64,
}

/// Sends one message, whose body is `parts` one after the other.
pub(crate) fn send(to: &mut impl Write, kind: u32, number: u64, parts: &[&[u8]]) -> io::Result<()> {
    let len: usize = parts.iter().map(|p| p.len()).sum();
    if len > MAX_BODY_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("a message of {len} bytes")));
    }
    let mut head = [0_u8; HEAD_BYTES];
    head[..4].copy_from_slice(&kind.to_le_bytes());
    head[4..8].copy_from_slice(&(len as u32).to_le_bytes());
    head[8..].copy_from_slice(&number.to_le_bytes());
    if len == 0 {
        to.write_all(&head)?;
    } else if len <= SMALL_BYTES {
        let mut all = [0_u8; HEAD_BYTES + SMALL_BYTES];
        all[..HEAD_BYTES].copy_from_slice(&head);
        let mut at = HEAD_BYTES;
        for part in parts {
            all[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        to.write_all(&all[..at])?;
    } else {
        to.write_all(&head)?;
        parts.iter().try_for_each(|p| to.write_all(p))?;
    }
    to.flush()
}

/// The next message; its body replaces what is in `body`. An error at the end of the pipe and for a body that is longer
/// than any message.
pub(crate) fn receive(from: &mut impl Read, body: &mut Vec<u8>) -> io::Result<Head> {
    let mut head = [0_u8; HEAD_BYTES];
    from.read_exact(&mut head)?;
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let len = word(4) as usize;
    if len > MAX_BODY_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {len} bytes")));
    }
    body.clear();
    // Grows with what really comes: a length is only a claim.
    if from.take(len as u64).read_to_end(body)? != len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Head { kind: word(0), number: u64::from(word(8)) | u64::from(word(12)) << 32 })
}

/// A body of JSON and bytes: the length of the JSON, the JSON, the bytes.
pub(crate) fn json_and_bytes(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = body.split_at_checked(4)?;
    rest.split_at_checked(u32::from_le_bytes(len.try_into().ok()?) as usize)
}

/// The little-endian u32 at a place of a body.
pub(crate) fn u32_at(body: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(body.get(at..at + 4)?.try_into().ok()?))
}

/// The little-endian u64 at a place of a body.
pub(crate) fn u64_at(body: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(body.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_as_it_was_sent_and_every_prefix_is_an_error() {
        for len in [0, 1, SMALL_BYTES, SMALL_BYTES + 1] {
            let (mut pipe, bytes) = (Vec::new(), vec![7_u8; len]);
            send(&mut pipe, TICK, u64::MAX - 3, &[&bytes[..len / 2], &bytes[len / 2..]]).unwrap();
            let mut body = vec![1, 2, 3];
            let head = receive(&mut pipe.as_slice(), &mut body).unwrap();
            assert_eq!((head, body.as_slice()), (Head { kind: TICK, number: u64::MAX - 3 }, bytes.as_slice()));
            for cut in 0..pipe.len() {
                assert!(receive(&mut &pipe[..cut], &mut body).is_err(), "cut after {cut} of {}", pipe.len());
            }
        }
    }

    #[test]
    fn a_length_that_is_only_a_claim_takes_no_memory() {
        let mut pipe = vec![0_u8; HEAD_BYTES];
        pipe[4..8].copy_from_slice(&(MAX_BODY_BYTES as u32).to_le_bytes());
        let mut body = Vec::new();
        assert!(receive(&mut pipe.as_slice(), &mut body).is_err());
        assert!(body.capacity() < 1 << 20);
        pipe[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(receive(&mut pipe.as_slice(), &mut body).is_err());
    }

    #[test]
    fn rubbish_is_an_error_or_a_message_and_never_a_panic() {
        let mut seed = 1_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u8
        };
        let mut body = Vec::new();
        for round in 0..10_000 {
            let mut pipe: Vec<u8> = (0..round % 64).map(|_| next()).collect();
            if round % 2 == 0 && pipe.len() >= 8 {
                // A length that the pipe may have, so that the body is looked at.
                pipe[4..8].copy_from_slice(&(u32::from(next()) % 48).to_le_bytes());
            }
            if receive(&mut pipe.as_slice(), &mut body).is_ok() {
                let at = usize::from(next());
                let _ = (json_and_bytes(&body), u32_at(&body, at), u64_at(&body, at));
            }
        }
    }
}
