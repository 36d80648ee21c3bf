//! What the service stores, in memory: tokens, notes and their attachments. Gone with the process.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    note::{Draft, Listing, Note, Page},
    problem::Problem,
};

/// The one account.
const USER: &str = "ada";
const PASSWORD: &str = "lovelace";

/// Everything that is stored.
#[derive(Debug, Default)]
pub struct Notes(Mutex<Stored>);

#[derive(Debug, Default)]
struct Stored {
    tokens: HashSet<String>,
    last_id: u64,
    notes: BTreeMap<u64, Note>,
    attachments: BTreeMap<u64, Attachment>,
}

/// Who wants a token.
#[derive(Debug, Clone, Deserialize)]
pub struct Login {
    /// Name of the account.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// A token, in the words of RFC 6749 section 5.1.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    /// The token itself.
    pub access_token: String,
    /// How it is used.
    pub token_type: &'static str,
}

/// What was uploaded for a note.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// As the upload gave it.
    pub media_type: String,
    /// The bytes.
    pub content: Bytes,
    /// A strong validator, in quotes (RFC 9110 section 8.8.3).
    pub etag: String,
}

impl Attachment {
    /// An attachment of these bytes; they and nothing else make its validator.
    #[must_use]
    pub fn new(media_type: String, content: Bytes) -> Self {
        let hash = Sha256::digest(&content);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { media_type, content, etag: format!("\"{hex}\"") }
    }
}

impl Notes {
    /// Gives out a token.
    ///
    /// # Errors
    /// A 401 when user and password do not belong together.
    pub fn login(&self, login: &Login) -> Result<Session, Problem> {
        if (login.user.as_str(), login.password.as_str()) != (USER, PASSWORD) {
            return Err(Problem::new(401, "user and password do not belong together"));
        }
        let access_token = Uuid::new_v4().simple().to_string();
        self.stored().tokens.insert(access_token.clone());
        Ok(Session { access_token, token_type: "Bearer" })
    }

    /// Lets a token pass that was given out here.
    ///
    /// # Errors
    /// A 401 for any other.
    pub fn admit(&self, token: Option<&str>) -> Result<(), Problem> {
        let known = token.is_some_and(|token| self.stored().tokens.contains(token));
        if known { Ok(()) } else { Err(Problem::no_token()) }
    }

    /// A page of notes; one behind the last is empty.
    #[must_use]
    pub fn list(&self, page: Page) -> Listing {
        let stored = self.stored();
        let (skipped, taken) = (clamp(page.offset()), clamp(page.per_page));
        let notes = stored.notes.values().skip(skipped).take(taken).cloned().collect();
        Listing { notes, page, total: stored.notes.len() as u64 }
    }

    /// Stores a new note.
    pub fn create(&self, draft: Draft) -> Note {
        let mut stored = self.stored();
        stored.last_id += 1;
        let note = Note { id: stored.last_id, title: draft.title, body: draft.body };
        stored.notes.insert(note.id, note.clone());
        note
    }

    /// One note.
    ///
    /// # Errors
    /// A 404 when there is none.
    pub fn read(&self, id: u64) -> Result<Note, Problem> {
        self.stored().notes.get(&id).cloned().ok_or_else(Problem::not_found)
    }

    /// Replaces what a note says.
    ///
    /// # Errors
    /// A 404 when there is none.
    pub fn replace(&self, id: u64, draft: Draft) -> Result<Note, Problem> {
        let mut stored = self.stored();
        let note = stored.notes.get_mut(&id).ok_or_else(Problem::not_found)?;
        *note = Note { id, title: draft.title, body: draft.body };
        Ok(note.clone())
    }

    /// Removes a note and its attachment.
    ///
    /// # Errors
    /// A 404 when there is none.
    pub fn delete(&self, id: u64) -> Result<(), Problem> {
        let mut stored = self.stored();
        stored.attachments.remove(&id);
        stored.notes.remove(&id).map(drop).ok_or_else(Problem::not_found)
    }

    /// Stores or replaces the attachment of a note.
    ///
    /// # Errors
    /// A 404 when there is no such note.
    pub fn attach(&self, id: u64, attachment: Attachment) -> Result<(), Problem> {
        let mut stored = self.stored();
        if !stored.notes.contains_key(&id) {
            return Err(Problem::not_found());
        }
        stored.attachments.insert(id, attachment);
        Ok(())
    }

    /// The attachment of a note.
    ///
    /// # Errors
    /// A 404 when there is none.
    pub fn attachment(&self, id: u64) -> Result<Attachment, Problem> {
        self.stored().attachments.get(&id).cloned().ok_or_else(Problem::not_found)
    }

    /// No method panics halfway through a change, so what a poisoned lock guards is whole.
    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn clamp(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
