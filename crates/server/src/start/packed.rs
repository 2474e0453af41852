//! What media and the clock are packed as, and how they are unpacked: the words of others are theirs.

use std::fs::File;
use std::net::{TcpStream, UdpSocket};

use anyhow::Context;
use salon_core::Timestamp;
use salon_handover::{Parcel, Received, Unpacked};
use salon_live::{Moment, SinceBoot};
use salon_sfu::{Handed, HandedTcp, Packed};

const MEDIA: &str = "media";
const MEDIA_TCP: &str = "media over TCP";
const ELSEWHERE: &str = "media elsewhere";
const MOMENT: &str = "moment";

/// What is packed under this name; nothing if nothing was handed over.
pub fn all(handed: Option<&Received>, what: &str) -> anyhow::Result<Vec<Unpacked>> {
    let all = handed.map(|handed| handed.unpack(what)).transpose();
    all.map(Option::unwrap_or_default).with_context(|| format!("cannot take over what was handed over ({what})"))
}

pub fn media(threads: &[Packed]) -> Vec<Parcel> {
    let mut parcels = Vec::new();
    for (number, thread) in threads.iter().enumerate() {
        let descriptors = [thread.udp].into_iter().chain(thread.words).collect();
        let note = serde_json::to_string(&thread.saved).unwrap_or_default();
        parcels.push(Parcel { what: MEDIA.into(), note, descriptors, ..Parcel::default() });
        for tcp in &thread.tcp {
            let note = format!("{number} {}", tcp.partial.len());
            let bytes = [&tcp.partial[..], &tcp.queue].concat();
            parcels.push(Parcel { what: MEDIA_TCP.into(), note, bytes, descriptors: vec![tcp.stream] });
        }
    }
    parcels
}

/// What media threads go on with; none if nothing was handed over.
pub fn handed_media(handed: Option<&Received>) -> anyhow::Result<Option<Vec<Handed>>> {
    let mut threads = Vec::new();
    for Unpacked { note, descriptors, .. } in all(handed, MEDIA)? {
        let mut descriptors = descriptors.into_iter();
        let udp = UdpSocket::from(descriptors.next().context("a media thread has no socket")?);
        let saved = serde_json::from_str(&note).context("media connections cannot be read")?;
        threads.push(Handed { udp, words: descriptors.next().map(File::from), saved, tcp: Vec::new() });
    }
    for Unpacked { note, bytes, descriptors, .. } in all(handed, MEDIA_TCP)? {
        let numbers = note.split_once(' ').and_then(|(thread, partial)| Some((thread.parse().ok()?, partial.parse().ok()?)));
        let Some((number, partial)): Option<(usize, usize)> = numbers else { continue };
        let (Some(thread), Some(stream)) = (threads.get_mut(number), descriptors.into_iter().next()) else { continue };
        let Some((partial, queue)) = bytes.split_at_checked(partial) else { continue };
        thread.tcp.push(HandedTcp { stream: TcpStream::from(stream), partial: partial.to_vec(), queue: queue.to_vec() });
    }
    Ok((!threads.is_empty()).then_some(threads))
}

/// What is at other nodes, in the words of `salon_media`.
pub fn elsewhere_packed(note: String) -> Parcel {
    Parcel { what: ELSEWHERE.into(), note, ..Parcel::default() }
}

/// The same of the program before.
pub fn elsewhere(handed: Option<&Received>) -> anyhow::Result<Vec<String>> {
    Ok(all(handed, ELSEWHERE)?.into_iter().map(|packed| packed.note).collect())
}

pub fn moment(moment: Moment) -> Parcel {
    Parcel { what: MOMENT.into(), note: format!("{} {}", moment.at.0, moment.since_boot.0), ..Parcel::default() }
}

/// The moment at which everything was handed over.
pub fn handed_moment(handed: Option<&Received>) -> anyhow::Result<Option<Moment>> {
    let packed = all(handed, MOMENT)?;
    let numbers = packed.first().and_then(|packed| packed.note.split_once(' '));
    Ok(numbers.and_then(|(at, boot)| Some(Moment { at: Timestamp(at.parse().ok()?), since_boot: SinceBoot(boot.parse().ok()?) })))
}
