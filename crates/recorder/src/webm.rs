//! A WebM file of one stream of Opus that is whole after every block: sizes are unknown while it grows.
//! Times are milliseconds since its beginning. Invariant: blocks are written in one call each, and never touched again;
//! only the length in front is written once more when the file is done.
//! Source: RFC 8794 (EBML), RFC 9559 (Matroska), the WebM container guidelines.

use std::io::{self, Seek, SeekFrom, Write};

/// A cluster begins anew after this long: block times are 16 bits of milliseconds. Shorter clusters are found faster.
const CLUSTER_MS: u64 = 5_000;

/// What is written of a size that is not known.
const UNKNOWN: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

const DURATION: [u8; 2] = [0x44, 0x89];

/// A file that grows.
#[derive(Debug)]
pub struct WebM<W> {
    out: W,
    bytes: u64,
    /// Where the length stands.
    duration_at: u64,
    /// When the cluster began.
    cluster: Option<u64>,
}

impl<W: Write + Seek> WebM<W> {
    /// Writes what is in front of all sound.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin(mut out: W) -> io::Result<Self> {
        let mut head = element(
            &[0x1a, 0x45, 0xdf, 0xa3],
            &[
                element(&[0x42, 0x86], &[1]),
                element(&[0x42, 0xf7], &[1]),
                element(&[0x42, 0xf2], &[4]),
                element(&[0x42, 0xf3], &[8]),
                element(&[0x42, 0x82], b"webm"),
                element(&[0x42, 0x87], &[4]),
                element(&[0x42, 0x85], &[2]),
            ]
            .concat(),
        );
        head.extend([0x18, 0x53, 0x80, 0x67]);
        head.extend(UNKNOWN);
        // The length comes first in what follows, eight bytes behind the name and size of both.
        let info = [
            element(&DURATION, &0f64.to_be_bytes()),
            element(&[0x2a, 0xd7, 0xb1], &1_000_000u32.to_be_bytes()),
            element(&[0x4d, 0x80], b"salon"),
            element(&[0x57, 0x41], b"salon"),
        ]
        .concat();
        let duration_at = (head.len() + 4 + 8 + DURATION.len() + 8) as u64;
        head.extend(element(&[0x15, 0x49, 0xa9, 0x66], &info));
        // Two channels, which any stream of Opus may be decoded to; no samples to skip, as times are those of packets.
        let private = [&b"OpusHead\x01\x02\x00\x00"[..], &48_000u32.to_le_bytes(), &[0, 0, 0]].concat();
        let audio = [element(&[0xb5], &48_000f64.to_be_bytes()), element(&[0x9f], &[2])].concat();
        let entry = [
            element(&[0xd7], &[1]),
            element(&[0x73, 0xc5], &[1]),
            element(&[0x83], &[2]),
            element(&[0x86], b"A_OPUS"),
            element(&[0x63, 0xa2], &private),
            element(&[0x56, 0xaa], &[0]),
            element(&[0x56, 0xbb], &80_000_000u32.to_be_bytes()),
            element(&[0xe1], &audio),
        ]
        .concat();
        head.extend(element(&[0x16, 0x54, 0xae, 0x6b], &element(&[0xae], &entry)));
        out.write_all(&head)?;
        Ok(Self { out, bytes: head.len() as u64, duration_at, cluster: None })
    }

    /// Appends a packet. One of before the cluster counts as of its beginning.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn block(&mut self, at_ms: u64, packet: &[u8]) -> io::Result<()> {
        let mut out = Vec::with_capacity(packet.len() + 48);
        let cluster = match self.cluster.filter(|began| at_ms < began + CLUSTER_MS) {
            Some(began) => began,
            None => {
                out.extend([0x1f, 0x43, 0xb6, 0x75]);
                out.extend(UNKNOWN);
                out.extend(element(&[0xe7], &at_ms.to_be_bytes()));
                self.cluster = Some(at_ms);
                at_ms
            }
        };
        let since = at_ms.saturating_sub(cluster) as u16;
        let block = [&[0x81][..], &since.to_be_bytes(), &[0x80], packet].concat();
        out.extend(element(&[0xa3], &block));
        self.out.write_all(&out)?;
        self.bytes += out.len() as u64;
        Ok(())
    }

    /// How large the file is, as far as it is whole.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where it is written.
    pub fn out(&self) -> &W {
        &self.out
    }

    /// Writes how long it is.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(mut self, length_ms: u64) -> io::Result<W> {
        self.out.seek(SeekFrom::Start(self.duration_at))?;
        self.out.write_all(&(length_ms as f64).to_be_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// An element with a size of eight bytes.
fn element(name: &[u8], content: &[u8]) -> Vec<u8> {
    let mut size = (content.len() as u64).to_be_bytes();
    size[0] = 0x01;
    [name, &size, content].concat()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// The elements of a file: depth, name, content of those that hold no others. Sizes that are unknown end with the file.
    fn read(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        while let Some(first) = bytes.first() {
            let name = 1 + first.leading_zeros() as usize;
            let size: [u8; 8] = bytes[name..name + 8].try_into().unwrap();
            assert_eq!(size[0], 1, "sizes have eight bytes");
            let unknown = size == UNKNOWN;
            let length = u64::from_be_bytes(size) as usize & 0x00ff_ffff_ffff_ffff;
            let id = hex(&bytes[..name]);
            bytes = &bytes[name + 8..];
            let holds = ["1a45dfa3", "18538067", "1549a966", "1654ae6b", "ae", "e1", "1f43b675"].contains(&id.as_str());
            let content = if unknown || holds { Vec::new() } else { bytes[..length].to_vec() };
            bytes = if unknown || holds { bytes } else { &bytes[length..] };
            found.push((id, content));
        }
        found
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn blocks_are_read_back_and_every_prefix_of_writes_is_whole() {
        let mut file = WebM::begin(Cursor::new(Vec::new())).unwrap();
        for (at, byte) in [(0, 1), (20, 2), (4_999, 3), (5_000, 4), (4_990, 5), (90_000, 6)] {
            file.block(at, &[byte; 4]).unwrap();
            let elements = read(file.out.get_ref());
            assert_eq!(elements.last().unwrap().1[4..], [byte; 4]);
            assert_eq!(file.bytes(), file.out.get_ref().len() as u64);
        }
        let bytes = file.finish(90_020).unwrap().into_inner();
        let elements = read(&bytes);
        let of =
            |id: &str| elements.iter().filter(|(name, _)| name == id).map(|(_, content)| content.clone()).collect::<Vec<_>>();
        let clusters: Vec<u64> = of("e7").iter().map(|at| u64::from_be_bytes(at[..].try_into().unwrap())).collect();
        assert_eq!(clusters, [0, 5_000, 90_000]);
        let since: Vec<u16> = of("a3").iter().map(|block| u16::from_be_bytes([block[1], block[2]])).collect();
        assert_eq!(since, [0, 20, 4_999, 0, 0, 0]);
        assert_eq!(of("4489"), [90_020f64.to_be_bytes()]);
        assert_eq!(of("86"), [b"A_OPUS"]);
    }
}
