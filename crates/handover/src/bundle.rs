//! All parcels as bytes: a head that says of which form it is and for which process, and a sum over everything. Pure.
//! Invariant: what is cut, spoilt, of another form or for another process is refused whole.

use std::os::fd::RawFd;

use crate::parcel::Parcel;

/// Of everything that is handed over. To be raised when a parcel means something else than before.
pub const FORM: u32 = 1;

const MAGIC: [u8; 8] = *b"SALON>>>";
const HEAD: usize = MAGIC.len() + 4 + 4 + 4;
const SUM: usize = 4;

/// Why nothing can be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It is none of ours, or was cut or spoilt.
    Spoilt,
    /// Another version wrote it.
    Form(u32),
    /// It is for another process: a child, perhaps, that was left the mark.
    NotForUs,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Broken::Spoilt => f.write_str("what was handed over is not whole"),
            Broken::Form(theirs) => write!(f, "it is of form {theirs}, and this version of Salon takes form {FORM}"),
            Broken::NotForUs => f.write_str("it is for another process"),
        }
    }
}

impl std::error::Error for Broken {}

/// The parcels for this process.
pub(crate) fn pack(parcels: &[Parcel], process: u32) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for number in [FORM, process, parcels.len() as u32] {
        bytes.extend(number.to_be_bytes());
    }
    for parcel in parcels {
        for part in [parcel.what.as_bytes(), parcel.note.as_bytes(), &parcel.bytes] {
            bytes.extend((part.len() as u32).to_be_bytes());
            bytes.extend(part);
        }
        bytes.extend((parcel.descriptors.len() as u32).to_be_bytes());
        for descriptor in &parcel.descriptors {
            bytes.extend(descriptor.to_be_bytes());
        }
    }
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

/// What was packed.
pub(crate) fn unpack(bytes: &[u8], process: u32) -> Result<Vec<Parcel>, Broken> {
    let (body, sum) = bytes.split_last_chunk::<SUM>().ok_or(Broken::Spoilt)?;
    if body.len() < HEAD || !body.starts_with(&MAGIC) {
        return Err(Broken::Spoilt);
    }
    let mut rest = Rest(&body[MAGIC.len()..]);
    // Before the sum, over which another form may think otherwise.
    match rest.number() {
        Some(FORM) => {}
        other => return Err(Broken::Form(other.unwrap_or_default())),
    }
    if crc32fast::hash(body) != u32::from_be_bytes(*sum) {
        return Err(Broken::Spoilt);
    }
    if rest.number() != Some(process) {
        return Err(Broken::NotForUs);
    }
    let count = rest.number().ok_or(Broken::Spoilt)?;
    let parcels: Option<Vec<Parcel>> = (0..count).map(|_| rest.parcel()).collect();
    parcels.filter(|_| rest.0.is_empty()).ok_or(Broken::Spoilt)
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn parcel(&mut self) -> Option<Parcel> {
        let (what, note, bytes) = (self.text()?, self.text()?, self.bytes()?.to_vec());
        let count = self.number()?;
        let descriptors = (0..count).map(|_| self.number().map(|n| n.cast_signed() as RawFd)).collect::<Option<_>>()?;
        Some(Parcel { what, note, bytes, descriptors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcels() -> Vec<Parcel> {
        let socket =
            Parcel { what: "socket".into(), note: "{\"peer\":\"ä\"}".into(), bytes: vec![0, 255, 7], descriptors: vec![9] };
        let media = Parcel { what: "media".into(), note: String::new(), bytes: vec![1; 300], descriptors: vec![3, 4, 500] };
        vec![socket, Parcel::default(), media]
    }

    #[test]
    fn what_is_packed_is_unpacked_by_the_process_it_is_for() {
        let bytes = pack(&parcels(), 42);
        assert_eq!(unpack(&bytes, 42), Ok(parcels()));
        assert_eq!(unpack(&bytes, 43), Err(Broken::NotForUs));
        assert_eq!(unpack(&pack(&[], 1), 1), Ok(vec![]));
    }

    #[test]
    fn what_is_cut_or_spoilt_anywhere_is_refused() {
        let bytes = pack(&parcels(), 42);
        for end in 0..bytes.len() {
            assert!(unpack(&bytes[..end], 42).is_err(), "cut at {end}");
        }
        for place in 0..bytes.len() {
            let mut spoilt = bytes.clone();
            spoilt[place] ^= 1;
            assert!(unpack(&spoilt, 42).is_err(), "spoilt at {place}");
        }
        assert!(unpack(&[&bytes[..], &[0]].concat(), 42).is_err());
    }

    #[test]
    fn another_form_is_named() {
        let mut bytes = pack(&parcels(), 42);
        bytes[MAGIC.len() + 3] = 99;
        assert_eq!(unpack(&bytes, 42), Err(Broken::Form(99)));
    }
}
