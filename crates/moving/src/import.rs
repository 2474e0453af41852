//! Brings apps, presets, meetings and participants here, with their ids, so that what applications stored stays true.
//! Invariant: each thing is looked at, decided and stored by itself; what is as there already is not touched, and what is
//! here only stays. Done twice, the second time changes nothing.
//! Next: `told.rs`, what may be kept; `journal.rs`, what is told of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::time::Duration;

use anyhow::{Context, bail};
use salon_core::{AccountId, AppId, MeetingId, PresetId, Timestamp};
use salon_doors::rest::{KeepAlive, brought};
use salon_doors::rfc3339::{parse_rfc3339, rfc3339};
use salon_store::acting::{Act, Acting, By, Outcome};
use salon_store::{App, Error, Meeting, Page, Participant, Preset, Rule, Store};
use serde_json::Value;

use crate::differences::{How, differences};
use crate::hosted::Hosted;
use crate::journal::{Fate, Journal, Thing};
use crate::told::{self, Person, Taken};

/// How often a thing is tried to be stored while the database does not answer, and how long is waited in between.
const MAX_TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_secs(2);

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The account here that new apps belong to.
    pub into: AccountId,
    /// Only these apps; all if empty.
    pub apps: Vec<AppId>,
    /// Nothing is stored.
    pub dry_run: bool,
    /// What was changed here later than there becomes as there.
    pub overwrite: bool,
    pub keep_alive: KeepAlive,
}

/// Reads all that is wanted and stores it.
///
/// # Errors
/// The account has not all the apps that are wanted: nothing is stored then. Or the service, the database or the report fails:
/// what was stored until then stays, and the next run goes on.
pub async fn import(
    store: &Store,
    hosted: &mut Hosted,
    journal: &mut Journal,
    plan: &Plan,
    now: impl Fn() -> Timestamp,
) -> anyhow::Result<()> {
    let mut import = Import { store, hosted, journal, plan, now };
    let mut missing: BTreeSet<&AppId> = plan.apps.iter().collect();
    let mut found = Vec::new();
    let mut apps = import.hosted.list("/apps".to_owned());
    while let Some(page) = apps.next(import.hosted).await? {
        for told in page {
            let Ok(id) = AppId::parse(told["id"].as_str().unwrap_or_default()) else {
                let id = told["id"].to_string();
                import.journal.note(Thing::App, &id, None, &Fate::Refused("its id cannot be kept".to_owned()), &[])?;
                continue;
            };
            if plan.apps.is_empty() || missing.remove(&id) {
                found.push((id, told));
            }
        }
    }
    if !missing.is_empty() {
        let missing: Vec<_> = missing.into_iter().map(AppId::as_str).collect();
        bail!("the account has no app {} at the service; nothing was brought", missing.join(", "));
    }
    // Who names apps has found them all.
    if let Some(why) = apps.missing().filter(|_| plan.apps.is_empty()) {
        import.journal.cut_short(Thing::App, plan.into.as_str(), &short("apps", &why))?;
    }
    for (id, told) in found {
        import.app(id, &told).await?;
    }
    import.journal.finish()
}

struct Import<'a, N> {
    store: &'a Store,
    hosted: &'a mut Hosted,
    journal: &'a mut Journal,
    plan: &'a Plan,
    now: N,
}

impl<N: Fn() -> Timestamp> Import<'_, N> {
    async fn app(&mut self, id: AppId, told: &Value) -> anyhow::Result<()> {
        let name = told["name"].as_str().unwrap_or_default().trim();
        let created_at = parse_rfc3339(told["created_at"].as_str().unwrap_or_default()).unwrap_or_else(&self.now);
        let known = self.store.app(&id).await.context("the apps cannot be read")?;
        let (fate, remarks) = match known {
            Some(app) if app.account != self.plan.into => {
                let why = "an app of this id belongs to another account here".to_owned();
                self.journal.note(Thing::App, id.as_str(), None, &Fate::Refused(why), &[])?;
                return Ok(());
            }
            Some(app) if app.name == name => (Fate::Same, Vec::new()),
            Some(_) => (Fate::Left("it has another name here".to_owned()), Vec::new()),
            None => {
                self.make_app(App { id: id.clone(), account: self.plan.into.clone(), name: name.to_owned(), created_at }).await?
            }
        };
        self.journal.note(Thing::App, id.as_str(), None, &fate, &remarks)?;
        let mut presets = self.presets(&id).await?;
        self.meetings(&id, &mut presets).await
    }

    /// Makes an app without the presets that new ones have: its own come.
    async fn make_app(&self, mut app: App) -> anyhow::Result<(Fate, Vec<String>)> {
        let mut remarks = Vec::new();
        if app.name.is_empty() {
            app.name = app.id.to_string();
        }
        for _ in 0..MAX_TRIES {
            if self.plan.dry_run {
                break;
            }
            match self.acting(&app.id, Thing::App, app.id.as_str(), self.store.create_app(&app, &[])).await {
                Ok(()) => break,
                Err(Error::Conflict(Rule::AppName)) => {
                    remarks.push("another app of the account has its name here, so its id was put behind it".to_owned());
                    app.name = format!("{} ({})", app.name, app.id);
                }
                Err(Error::Unavailable(_)) => {
                    tokio::time::sleep(BETWEEN_TRIES).await;
                    // It may be stored all the same.
                    if self.store.app(&app.id).await.is_ok_and(|app| app.is_some()) {
                        break;
                    }
                }
                Err(error) => return Err(anyhow::Error::new(error).context("the app cannot be stored")),
            }
        }
        Ok((Fate::Made, remarks))
    }

    /// Brings the presets, and answers by which names there are which.
    async fn presets(&mut self, app: &AppId) -> anyhow::Result<Presets> {
        let mut presets = Presets::default();
        let mut list = self.hosted.list(format!("/{app}/presets"));
        while let Some(page) = list.next(self.hosted).await? {
            for item in page {
                let shown = item["id"].as_str().unwrap_or_default().to_owned();
                // Judged before it is part of an address.
                let told = match PresetId::parse(&shown) {
                    Ok(id) => self.hosted.one(&format!("/{app}/presets/{id}")).await?,
                    Err(_) => Some(item),
                };
                let Some(told) = told else {
                    let fate = Fate::Left("it was deleted there meanwhile".to_owned());
                    self.journal.note(Thing::Preset, &shown, None, &fate, &[])?;
                    continue;
                };
                let (fate, mut remarks) = match told::preset(app, &told, (self.now)()) {
                    Err(why) => (Fate::Refused(why), Vec::new()),
                    Ok(Taken { row, remarks }) => {
                        let (fate, id) = self.stored(|| self.preset(&row)).await?;
                        presets.by_name.insert(row.name.clone(), Some(id.clone().unwrap_or_else(|| row.id.clone())));
                        match id {
                            Some(id) if id != row.id => {
                                let why = format!("a preset of its name is here as {id}, and keeps that id");
                                (fate, remarks.into_iter().chain([why]).collect())
                            }
                            _ => (fate, remarks),
                        }
                    }
                };
                if let Fate::Refused(_) = fate {
                    // Whose name it is, for it is by name that people have it. One made here by hand stands for it.
                    let name = told["name"].as_str().unwrap_or_default().chars().take(100).collect::<String>();
                    remarks.push(format!("{:?} is refused; make one of this name, and run this again for its people", name));
                }
                self.journal.note(Thing::Preset, &shown, None, &fate, &remarks)?;
            }
        }
        if let Some(why) = list.missing() {
            self.journal.cut_short(Thing::App, app.as_str(), &short("presets", &why))?;
        }
        Ok(presets)
    }

    /// Stores a preset; answers under which id it is here.
    async fn preset(&self, row: &Preset) -> Result<(Fate, Option<PresetId>), Error> {
        let same_id = self.store.preset(&row.app, &row.id).await?;
        let known = match same_id {
            Some(known) => Some(known),
            None => self.store.preset_named(&row.app, &row.name).await?,
        };
        let Some(known) = known else {
            if self.plan.dry_run {
                return Ok((Fate::Made, None));
            }
            let making = self.store.create_preset(row);
            return Ok(match self.acting(&row.app, Thing::Preset, row.id.as_str(), making).await {
                Ok(()) => (Fate::Made, Some(row.id.clone())),
                Err(Error::Conflict(rule)) => (Fate::Refused(rule.to_string()), None),
                Err(error) => return Err(error),
            });
        };
        let mut fields = changed(&known.body, &row.body);
        if known.name != row.name {
            fields.push("name".to_owned());
        }
        let id = known.id.clone();
        if let Some(fate) = self.settled(&fields, known.updated_at, row.updated_at) {
            return Ok((fate, Some(id)));
        }
        let change = |was: Preset| {
            let stays = !self.plan.overwrite && was.updated_at > row.updated_at;
            let updated_at = was.updated_at.max(row.updated_at);
            Ok::<_, Error>(if stays { was } else { Preset { name: row.name.clone(), body: row.body.clone(), updated_at, ..was } })
        };
        let editing = self.store.edit_preset(&row.app, &id, change);
        match self.acting(&row.app, Thing::Preset, id.as_str(), editing).await {
            Ok(_) => Ok((Fate::Changed(fields), Some(id))),
            Err(Error::Conflict(Rule::PresetName)) => Ok((Fate::Refused(Rule::PresetName.to_string()), Some(id))),
            Err(error) => Err(error),
        }
    }

    async fn meetings(&mut self, app: &AppId, presets: &mut Presets) -> anyhow::Result<()> {
        let mut list = self.hosted.list(format!("/{app}/meetings"));
        while let Some(page) = list.next(self.hosted).await? {
            for item in page {
                let shown = item["id"].as_str().unwrap_or_default().to_owned();
                if self.journal.is_done(&shown) {
                    continue;
                }
                let mut same = BTreeMap::new();
                let (fate, remarks, id) = self.meeting(app, item).await?;
                self.count(Thing::Meeting, &shown, &shown, &fate, &remarks, &mut same)?;
                let is_whole = match id {
                    Some(id) => self.people(app, &id, presets, &mut same).await?,
                    None => false,
                };
                // What could not be had may be had by the next run.
                if is_whole {
                    self.journal.finish_meeting(&shown, &same)?;
                }
            }
        }
        if let Some(why) = list.missing() {
            self.journal.cut_short(Thing::App, app.as_str(), &short("meetings", &why))?;
        }
        Ok(())
    }

    /// Stores a meeting; answers with its id if its people can follow.
    async fn meeting(&mut self, app: &AppId, item: Value) -> anyhow::Result<(Fate, Vec<String>, Option<MeetingId>)> {
        let now = (self.now)();
        let told = match told::meeting(app, &item, &self.plan.keep_alive, now) {
            Err(why) => return Ok((Fate::Refused(why), Vec::new(), None)),
            Ok(told) => told,
        };
        let id = told.row.id.clone();
        let known = self.store.meeting(app, &id).await.context("the meetings cannot be read")?;
        // Lists leave a part out. It changed with nothing else, if it did.
        let is_whole = item.get("ai_config").is_some()
            || known.is_some_and(|known| {
                let rest = Meeting { ai_config: None, ..known.clone() };
                known.updated_at == told.row.updated_at && meeting_changes(&rest, &told.row).is_empty()
            });
        let told = if is_whole {
            let kept = self.store.meeting(app, &id).await.context("the meetings cannot be read")?;
            let ai_config = told.row.ai_config.clone().or_else(|| kept.and_then(|kept| kept.ai_config));
            Taken { row: Meeting { ai_config, ..told.row }, ..told }
        } else {
            let Some(whole) = self.hosted.one(&format!("/{app}/meetings/{id}")).await? else {
                return Ok((Fate::Left("it was deleted there meanwhile".to_owned()), Vec::new(), None));
            };
            match told::meeting(app, &whole, &self.plan.keep_alive, now) {
                Ok(told) if told.row.id == id => told,
                Ok(_) => return Ok((Fate::Refused("the service answered with another meeting".to_owned()), Vec::new(), None)),
                Err(why) => return Ok((Fate::Refused(why), Vec::new(), None)),
            }
        };
        let fate = self.stored(|| self.put_meeting(&told.row)).await?;
        let id = (!matches!(fate, Fate::Refused(_))).then_some(id);
        Ok((fate, told.remarks, id))
    }

    async fn put_meeting(&self, row: &Meeting) -> Result<Fate, Error> {
        let Some(known) = self.store.meeting_of(&row.id).await? else {
            if self.plan.dry_run {
                return Ok(Fate::Made);
            }
            self.acting(&row.app, Thing::Meeting, row.id.as_str(), self.store.create_meeting(row)).await?;
            return Ok(Fate::Made);
        };
        if known.app != row.app {
            return Ok(Fate::Refused("a meeting of this id is in another app here".to_owned()));
        }
        if known.deleted_at.is_some() {
            return Ok(Fate::Refused("a meeting of this id was deleted here".to_owned()));
        }
        let fields = meeting_changes(&known, row);
        if let Some(fate) = self.settled(&fields, known.updated_at, row.updated_at) {
            return Ok(fate);
        }
        let change = |was: Meeting| {
            if !self.plan.overwrite && was.updated_at > row.updated_at {
                return Ok::<_, Error>(was);
            }
            let recording_config = with_secrets(&was, row);
            let updated_at = was.updated_at.max(row.updated_at);
            Ok(Meeting { parent: was.parent, created_at: was.created_at, recording_config, updated_at, ..row.clone() })
        };
        self.acting(&row.app, Thing::Meeting, row.id.as_str(), self.store.edit_meeting(&row.app, &row.id, change)).await?;
        Ok(Fate::Changed(fields))
    }

    /// Brings the people of a meeting; answers whether all are here as they are there.
    async fn people(
        &mut self,
        app: &AppId,
        meeting: &MeetingId,
        presets: &mut Presets,
        same: &mut BTreeMap<Thing, u64>,
    ) -> anyhow::Result<bool> {
        let mut is_whole = true;
        let mut list = self.hosted.list(format!("/{app}/meetings/{meeting}/participants"));
        while let Some(page) = list.next(self.hosted).await? {
            for item in page {
                let shown = item["id"].as_str().unwrap_or_default().to_owned();
                let (fate, remarks) = match told::person(&item, (self.now)()) {
                    Err(why) => (Fate::Refused(why), Vec::new()),
                    Ok(Taken { row, remarks }) => match self.preset_of(app, presets, &row.preset_name).await? {
                        Some(preset) => (self.stored(|| self.person(app, meeting, &preset, &row)).await?, remarks),
                        None => {
                            let name = row.preset_name.chars().take(100).collect::<String>();
                            (Fate::Refused(format!("its preset {name:?} is not here")), remarks)
                        }
                    },
                };
                is_whole &= !matches!(fate, Fate::Refused(_));
                self.count(Thing::Participant, &shown, meeting.as_str(), &fate, &remarks, same)?;
            }
        }
        if let Some(why) = list.missing() {
            self.journal.cut_short(Thing::Meeting, meeting.as_str(), &short("participants", &why))?;
            return Ok(false);
        }
        let nobody = Page { limit: 0, ..Page::default() };
        let here = self.store.participants(meeting, &nobody).await.context("the participants cannot be read")?.total;
        if here > list.seen() {
            self.journal.say(Thing::Meeting, "some of its participants are here only; they stay", meeting.as_str());
        }
        Ok(is_whole)
    }

    /// The preset of this name.
    async fn preset_of(&self, app: &AppId, presets: &mut Presets, name: &str) -> anyhow::Result<Option<PresetId>> {
        if let Some(known) = presets.by_name.get(name) {
            return Ok(known.clone());
        }
        // Not one of those that were told: perhaps made here by hand, for one that was refused.
        let found = self.store.preset_named(app, name).await.context("the presets cannot be read")?.map(|preset| preset.id);
        if presets.by_name.len() < MAX_NAMES {
            presets.by_name.insert(name.to_owned(), found.clone());
        }
        Ok(found)
    }

    async fn person(&self, app: &AppId, meeting: &MeetingId, preset: &PresetId, row: &Person) -> Result<Fate, Error> {
        let known = self.store.participant(meeting, &row.id).await?;
        let wanted = Participant {
            id: row.id.clone(),
            meeting: meeting.clone(),
            app: app.clone(),
            preset: preset.clone(),
            name: row.name.clone(),
            picture: row.picture.clone(),
            custom_participant_id: row.custom_participant_id.clone(),
            origin: None,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        let deleted_here = || Fate::Refused("a participant of this id was deleted here".to_owned());
        let Some(known) = known.map(|known| known.participant) else {
            if self.plan.dry_run {
                let was_deleted = self.store.was_participant_deleted(app, &row.id).await?;
                return Ok(if was_deleted { deleted_here() } else { Fate::Made });
            }
            let making = self.store.create_participant(&wanted);
            return match self.acting(app, Thing::Participant, row.id.as_str(), making).await {
                Ok(()) => Ok(Fate::Made),
                Err(Error::Conflict(Rule::IdTaken)) => {
                    Ok(Fate::Refused("a participant of this id is in another meeting here".to_owned()))
                }
                Err(Error::Conflict(Rule::ParticipantDeleted)) => Ok(deleted_here()),
                Err(Error::NotFound) => Ok(Fate::Refused("its meeting or preset was deleted here meanwhile".to_owned())),
                Err(error) => Err(error),
            };
        };
        let compared = [
            ("name", known.name == wanted.name),
            ("picture", known.picture == wanted.picture),
            ("custom_participant_id", known.custom_participant_id == wanted.custom_participant_id),
            ("preset_name", known.preset == wanted.preset),
        ];
        let fields: Vec<_> = compared.iter().filter(|(_, same)| !same).map(|(field, _)| (*field).to_owned()).collect();
        if let Some(fate) = self.settled(&fields, known.updated_at, wanted.updated_at) {
            return Ok(fate);
        }
        let change = |was: Participant| {
            if !self.plan.overwrite && was.updated_at > wanted.updated_at {
                return Ok::<_, Error>(was);
            }
            let updated_at = was.updated_at.max(wanted.updated_at);
            Ok(Participant { origin: was.origin, created_at: was.created_at, updated_at, ..wanted.clone() })
        };
        let editing = self.store.edit_participant(meeting, &row.id, change);
        match self.acting(app, Thing::Participant, row.id.as_str(), editing).await {
            Ok(_) => Ok(Fate::Changed(fields)),
            Err(Error::NotFound) => Ok(Fate::Refused("it or its preset was deleted here meanwhile".to_owned())),
            Err(error) => Err(error),
        }
    }

    /// What becomes of a thing that is here already, unless it is to be changed.
    fn settled(&self, fields: &[String], ours: Timestamp, theirs: Timestamp) -> Option<Fate> {
        if fields.is_empty() {
            return Some(Fate::Same);
        }
        if ours > theirs && !self.plan.overwrite {
            return Some(Fate::Left("it was changed here later than there; --overwrite makes it as there".to_owned()));
        }
        self.plan.dry_run.then(|| Fate::Changed(fields.to_vec()))
    }

    fn count(
        &mut self,
        thing: Thing,
        id: &str,
        meeting: &str,
        fate: &Fate,
        remarks: &[String],
        same: &mut BTreeMap<Thing, u64>,
    ) -> anyhow::Result<()> {
        if *fate == Fate::Same && remarks.is_empty() {
            *same.entry(thing).or_default() += 1;
        }
        self.journal.note(thing, id, Some(meeting), fate, remarks)
    }

    /// Looks, decides and stores, and again while the database does not answer: what was stored is then found.
    async fn stored<T, F: Future<Output = Result<T, Error>>>(&self, act: impl Fn() -> F) -> anyhow::Result<T> {
        let mut tries = 1;
        loop {
            match act().await {
                Err(Error::Unavailable(_)) if tries < MAX_TRIES => tokio::time::sleep(BETWEEN_TRIES).await,
                outcome => return outcome.context("it cannot be stored"),
            }
            tries += 1;
        }
    }

    /// Stores something in the name of whoever runs this.
    async fn acting<T>(&self, app: &AppId, thing: Thing, id: &str, storing: impl Future<Output = T>) -> T {
        let act = Act {
            account: Some(self.plan.into.clone()),
            app: Some(app.clone()),
            by: By::Operator,
            what: "salon import realtimekit".to_owned(),
            subjects: vec![(thing.word().to_owned(), id.to_owned())],
            from: None,
            at: (self.now)(),
            outcome: Outcome::Done,
        };
        Acting::new(act).scope(storing).await
    }
}

/// That a list there could not be read to its end.
fn short(things: &str, why: &str) -> String {
    format!("the list of {things} {why}; run this again")
}

/// Names of presets that are remembered for one app.
const MAX_NAMES: usize = 10_000;

/// Which presets there are by which names.
#[derive(Default)]
struct Presets {
    by_name: HashMap<String, Option<PresetId>>,
}

/// The paths that differ.
fn changed(ours: &Value, theirs: &Value) -> Vec<String> {
    differences(ours, theirs, &|_| How::Whole).into_iter().map(|difference| difference.path).collect()
}

/// What differs in what is told of two meetings. Their secrets are told of none.
fn meeting_changes(ours: &Meeting, theirs: &Meeting) -> Vec<String> {
    let told = |meeting: &Meeting| {
        let mut told = brought::told(meeting).unwrap_or_default();
        if let Some(parts) = told.as_object_mut() {
            ["created_at", "updated_at"].iter().for_each(|key| drop(parts.remove(*key)));
        }
        told
    };
    changed(&told(ours), &told(theirs))
}

/// The recording configuration of there, with the secrets of here as long as they are for the same place.
fn with_secrets(ours: &Meeting, theirs: &Meeting) -> Option<Value> {
    let storage = |meeting: &Meeting| {
        let told = brought::told(meeting).unwrap_or_default();
        told["recording_config"]["storage_config"].clone()
    };
    let mut config = theirs.recording_config.clone()?;
    if storage(ours) == storage(theirs)
        && let Some(kept) = ours.recording_config.as_ref().and_then(|config| config.get("storage_config"))
    {
        config["storage_config"] = kept.clone();
    }
    Some(config)
}

/// Said at the end of every import, for it is true of every one.
pub fn farewell(at: Timestamp) -> String {
    format!(
        "Tokens of participants cannot come along, for each server signs its own: ask for new ones with \
         POST …/participants/ID/token.\nAs of {}. Webhooks, recordings, sessions and chat were not brought.\n",
        rfc3339(at)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meeting(recording_config: Value) -> Meeting {
        let blank = Meeting::blank(MeetingId::parse("m").unwrap(), AppId::parse("a").unwrap(), Timestamp(1));
        Meeting { keep_alive_secs: 60, recording_config: Some(recording_config), ..blank }
    }

    #[test]
    fn secrets_that_were_set_here_stay_with_the_place_they_are_for() {
        let ours = meeting(json!({"max_seconds": 60, "storage_config": {"type": "aws", "bucket": "b", "secret": "s"}}));
        let theirs = meeting(json!({"max_seconds": 90, "storage_config": {"type": "aws", "bucket": "b"}}));
        assert_eq!(meeting_changes(&ours, &theirs), ["recording_config.max_seconds"]);
        let merged = with_secrets(&ours, &theirs).unwrap();
        assert_eq!((&merged["max_seconds"], &merged["storage_config"]["secret"]), (&json!(90), &json!("s")));
        let moved = meeting(json!({"storage_config": {"type": "aws", "bucket": "c"}}));
        assert_eq!(with_secrets(&ours, &moved).unwrap()["storage_config"].get("secret"), None);
    }
}
