//! A note, what a client may send for one, and a page of them.

use serde::{Deserialize, Serialize};

use crate::problem::{FieldError, Problem};

const TITLE_CHARS_MAX: usize = 100;
const BODY_CHARS_MAX: usize = 10_000;
const PER_PAGE_MAX: u64 = 100;

/// A stored note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Counted from 1, never used twice.
    pub id: u64,
    /// 1 to 100 characters.
    pub title: String,
    /// At most 10,000 characters.
    pub body: String,
}

/// A note as a client sends it.
#[derive(Debug, Clone, Deserialize)]
pub struct Draft {
    /// See [`Note::title`].
    pub title: String,
    /// See [`Note::body`].
    pub body: String,
}

impl Draft {
    /// The draft, if it can become a note.
    ///
    /// # Errors
    /// A 422 that names every field that is out of bounds.
    pub fn check(self) -> Result<Self, Problem> {
        let (title, body) = (self.title.chars().count(), self.body.chars().count());
        Problem::unless_empty([
            FieldError::unless((1..=TITLE_CHARS_MAX).contains(&title), "title", "must have 1 to 100 characters"),
            FieldError::unless(body <= BODY_CHARS_MAX, "body", "must have at most 10,000 characters"),
        ])?;
        Ok(self)
    }
}

/// Which notes a client asks for.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(default)]
pub struct Page {
    /// Counted from 1.
    pub page: u64,
    /// 1 to 100 notes.
    pub per_page: u64,
}

impl Default for Page {
    fn default() -> Self {
        Self { page: 1, per_page: 20 }
    }
}

impl Page {
    /// The page, if it is in bounds.
    ///
    /// # Errors
    /// A 422 that names every parameter that is out of bounds.
    pub fn check(self) -> Result<Self, Problem> {
        Problem::unless_empty([
            FieldError::unless(self.page >= 1, "page", "must be at least 1"),
            FieldError::unless((1..=PER_PAGE_MAX).contains(&self.per_page), "per_page", "must be 1 to 100"),
        ])?;
        Ok(self)
    }

    /// How many notes come before this page.
    pub(crate) fn offset(self) -> u64 {
        (self.page - 1).saturating_mul(self.per_page)
    }
}

/// A page of notes.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    /// In the order of their ids.
    pub notes: Vec<Note>,
    /// Which page this is.
    #[serde(flatten)]
    pub page: Page,
    /// How many notes there are on all pages.
    pub total: u64,
}

impl Listing {
    /// The pages beside this one, as the value of a header field `Link` (RFC 8288 section 3).
    #[must_use]
    pub fn link(&self) -> Option<String> {
        let Page { page, per_page } = self.page;
        let to = |page: u64, relation| format!("</api/notes?page={page}&per_page={per_page}>; rel=\"{relation}\"");
        let next = (self.page.offset().saturating_add(per_page) < self.total).then(|| to(page + 1, "next"));
        let prev = (page > 1).then(|| to(page - 1, "prev"));
        let links: Vec<String> = [next, prev].into_iter().flatten().collect();
        (!links.is_empty()).then(|| links.join(", "))
    }
}
