//! Datagrams on a stream: a length of two bytes before each (RFC 4571 section 2). Pure.

/// Longest frame taken, in bytes. Clients send nothing longer than an Ethernet frame; a longer one is not of a client.
pub(crate) const FRAME_BYTES: usize = 2_048;

/// Whether a connection that begins with this byte may be ours: the upper half of the length of a frame. HTTP begins with a
/// letter, TLS with 22.
pub fn begins_media(first: u8) -> bool {
    usize::from(first) <= FRAME_BYTES >> 8
}

/// What stands before a frame.
pub(crate) const PREFIX: usize = 2;

/// A frame longer than any client sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// The length of the frame that begins here.
pub(crate) fn length(prefix: [u8; PREFIX]) -> Result<usize, TooLong> {
    let length = usize::from(u16::from_be_bytes(prefix));
    if length <= FRAME_BYTES { Ok(length) } else { Err(TooLong) }
}

/// A frame, and what follows it.
type Frame<'a> = (&'a [u8], &'a [u8]);

/// The first frame. None until it is whole.
pub(crate) fn split(bytes: &[u8]) -> Result<Option<Frame<'_>>, TooLong> {
    let Some((prefix, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    Ok(rest.split_at_checked(length(*prefix)?))
}

/// Appends a frame. Ours are datagrams: never longer than 65,535 bytes.
pub(crate) fn append(buffer: &mut Vec<u8>, datagram: &[u8]) {
    buffer.extend_from_slice(&(datagram.len() as u16).to_be_bytes());
    buffer.extend_from_slice(datagram);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out when the stream arrives in pieces.
    fn received(pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, TooLong> {
        let (mut partial, mut frames) = (Vec::new(), Vec::new());
        for piece in pieces {
            partial.extend_from_slice(piece);
            let mut rest = &partial[..];
            while let Some((frame, after)) = split(rest)? {
                frames.push(frame.to_vec());
                rest = after;
            }
            partial = rest.to_vec();
        }
        Ok(frames)
    }

    #[test]
    fn frames_come_out_whole_wherever_the_stream_is_cut() {
        let frames = [vec![], vec![7], vec![8; 300], vec![], vec![9; 20]];
        let mut stream = Vec::new();
        for frame in &frames {
            append(&mut stream, frame);
        }
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(received(&pieces).as_deref(), Ok(&frames[..]), "cut at {first} and {second}");
            }
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(received(&bytes).as_deref(), Ok(&frames[..]));
    }

    #[test]
    fn a_frame_that_is_too_long_is_known_by_its_length() {
        let at_most = FRAME_BYTES as u16;
        assert_eq!(split(&at_most.to_be_bytes()), Ok(None));
        assert_eq!(split(&(at_most + 1).to_be_bytes()), Err(TooLong));
        assert_eq!(split(b"GET / HTTP/1.1\r\n"), Err(TooLong));
        assert_eq!(split(&[0x16]), Ok(None));
    }
}
