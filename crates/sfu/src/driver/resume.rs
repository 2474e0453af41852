//! Going on with the connections of a run that died, before the media threads begin.
//! Invariant: all of them or none: media of one thread may go to another.
//! Next: `memory.rs` has what is left of it.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::clock::{now, wall};
use super::directory::Directory;
use super::memory::{Memory, of_no_folder};
use super::neighbours::Neighbours;
use super::packed::HandedTcp;
use crate::engine::Engine;
use crate::engine::address::Address;
use crate::engine::saved::Saved;
use crate::{ProducerId, Resumed, TransportId};

/// Between threads, before they run: more than any queue between two of them needs.
const ROUNDS: usize = 64;

/// The memory of each media thread, and what the run before left there. Neither if it cannot be used: calls go on without.
pub(super) fn open(folder: Option<&Path>, ports: &[u16]) -> (VecDeque<Memory>, Vec<Vec<Saved>>) {
    let Some(folder) = folder else { return Default::default() };
    let opened = ports.iter().enumerate().map(|(thread, port)| Memory::open(folder, thread, *port));
    let memories: VecDeque<Memory> = match opened.collect() {
        Ok(memories) => memories,
        Err(error) => {
            let folder = folder.display();
            tracing::warn!(%error, "{folder} cannot be used to keep media connections: they will not outlive a crash");
            return Default::default();
        }
    };
    let wall = wall();
    let judged = memories.iter().try_for_each(|memory| memory.judge(wall));
    let left: Vec<Vec<Saved>> = match judged {
        Ok(()) => memories.iter().map(|memory| without_tcp(memory.left())).collect(),
        Err(why) => {
            tracing::info!(%why, "no media connections to go on with");
            Vec::new()
        }
    };
    let any = left.iter().any(|left| !left.is_empty());
    if let Some(memory) = memories.front() {
        // Each that is gone on with is written again.
        memory.clear();
    }
    memories.iter().for_each(|memory| memory.begin(wall, any));
    (memories, left)
}

fn without_tcp(mut left: Vec<Saved>) -> Vec<Saved> {
    left.iter_mut().for_each(Saved::lose_tcp);
    left
}

/// The same of what another process handed over: words and connections of each thread, ready to be gone on with.
pub(super) fn handed(
    folder: Option<&Path>,
    ports: &[u16],
    handed: Vec<(File, Vec<String>)>,
    tcp: &VecDeque<Vec<HandedTcp>>,
) -> io::Result<(VecDeque<Memory>, Vec<Vec<Saved>>)> {
    let (mut memories, mut left) = (VecDeque::new(), Vec::new());
    for (thread, ((words, saved), port)) in handed.into_iter().zip(ports).enumerate() {
        memories.push_back(Memory::with(folder, words, thread, *port)?);
        let came: HashSet<_> = tcp.get(thread).into_iter().flatten().filter_map(|tcp| tcp.from()).collect();
        let mut connections: Vec<Saved> = saved.iter().filter_map(|saved| serde_json::from_str(saved).ok()).collect();
        for saved in &mut connections {
            if !matches!(saved.client, Some(Address::Tcp(client)) if came.contains(&client)) {
                saved.lose_tcp();
            }
        }
        left.push(connections);
    }
    // Each that is gone on with is written again. It is no loop if that was wanted.
    memories.iter().take(1).for_each(Memory::clear);
    memories.iter().for_each(|memory| memory.begin(wall(), false));
    Ok((memories, left))
}

/// Memories for those who only hand over.
pub(super) fn fresh(ports: &[u16]) -> VecDeque<Memory> {
    let fresh = |(thread, port): (usize, &u16)| Memory::with(None, of_no_folder()?, thread, *port);
    match ports.iter().enumerate().map(fresh).collect() {
        Ok(memories) => memories,
        Err(error) => {
            tracing::warn!(%error, "media connections cannot be handed over to another process");
            VecDeque::new()
        }
    }
}

/// A media thread that does not run yet.
pub(super) struct Thread<'a> {
    pub engine: &'a mut Engine,
    pub neighbours: &'a Neighbours,
}

/// Goes on with what is left, for each thread.
pub(super) fn go_on(threads: &mut [Thread<'_>], left: &[Vec<Saved>], directory: &Arc<Directory>) -> Vec<Resumed> {
    let mut all = Vec::new();
    let mut going: Vec<(usize, &Saved)> = Vec::new();
    let now = now();
    for (thread, (Thread { engine, .. }, left)) in threads.iter_mut().zip(left).enumerate() {
        for saved in left {
            let resumed = told(saved);
            if !engine.resume_transport(now, saved) {
                continue;
            }
            if directory.resume(now, &resumed, thread).is_err() {
                engine.close_transport(now, &resumed.transport);
                continue;
            }
            going.push((thread, saved));
            all.push(resumed);
        }
    }
    let mut shared = BTreeSet::new();
    for (thread, saved) in &going {
        for consumer in &saved.consumers {
            let producer = ProducerId::from(consumer.producer.as_str());
            let Some(home) = directory.producer(&producer).filter(|home| home != thread) else { continue };
            if shared.insert((producer.clone(), *thread)) {
                threads[home].engine.share(&producer, &saved.room.as_str().into(), *thread);
            }
        }
    }
    for _ in 0..ROUNDS {
        let carried = threads.iter_mut().map(|thread| thread.neighbours.carry(&mut thread.engine.crossings));
        // All of them, so no `all`.
        let done = carried.filter(|carried| !carried).count() == 0;
        for Thread { engine, neighbours } in threads.iter_mut() {
            neighbours.receive(|from, crossing| engine.handle_crossing(now, from, crossing));
        }
        if done {
            break;
        }
    }
    for (thread, saved) in &going {
        threads[*thread].engine.resume_consumers(now, saved);
    }
    let failed = left.iter().map(Vec::len).sum::<usize>() - all.len();
    if !all.is_empty() || failed > 0 {
        tracing::info!(connections = all.len(), failed, "going on with media connections of the run before");
    }
    all
}

fn told(saved: &Saved) -> Resumed {
    let producer =
        |p: &crate::engine::saved::SavedProducer| (ProducerId::from(p.producer.as_str()), p.format.kind(), p.screen_share);
    Resumed {
        transport: TransportId::from(saved.transport.as_str()),
        room: saved.room.as_str().into(),
        role: saved.role,
        owner: saved.owner.as_str().into(),
        note: saved.note.clone(),
        producers: saved.producers.iter().map(producer).collect(),
        consumed: saved.consumers.iter().map(|consumer| consumer.producer.as_str().into()).collect(),
    }
}
