//! What gets past a layer of tower: requests and responses have what those of the `http` crate cannot carry, as it stays on its
//! thread. It waits here, under a number that they can carry.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use crate::{http::StatusCode, respond::Rare, respond::Response, service::OwnedRequest};

/// The number, an extension of a request of the `http` crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ticket(u64);

/// What waits on the other side of one layer.
#[derive(Default)]
pub(super) struct Passages {
    last: Cell<u64>,
    open: RefCell<HashMap<Ticket, Passage>>,
}

struct Passage {
    /// Parameters, extensions and connection; its body went through the layer.
    request: OwnedRequest,
    /// The upgrade and the cause of the response.
    rare: Option<Box<Rare>>,
}

impl Passages {
    /// Keeps what a request has until the guard is dropped.
    pub(super) fn open(self: &Rc<Self>, request: OwnedRequest) -> OpenPassage {
        let ticket = Ticket(self.last.get() + 1);
        self.last.set(ticket.0);
        self.open.borrow_mut().insert(ticket, Passage { request, rare: None });
        OpenPassage { passages: self.clone(), ticket }
    }

    /// Gives a request that has come through the layer what it had before.
    pub(super) fn enter(&self, ticket: Ticket, request: &mut OwnedRequest) {
        if let Some(passage) = self.open.borrow().get(&ticket) {
            request.inherit(&passage.request);
        }
    }

    /// Keeps what a response has.
    pub(super) fn leave(&self, ticket: Ticket, rare: Option<Box<Rare>>) {
        if let Some(passage) = self.open.borrow_mut().get_mut(&ticket) {
            passage.rare = rare;
        }
    }
}

/// The passage of one request, for as long as the layer is at work on it.
pub(super) struct OpenPassage {
    passages: Rc<Passages>,
    ticket: Ticket,
}

impl OpenPassage {
    pub(super) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Gives a response that has come through the layer what it had before. An upgrade that the layer has answered otherwise
    /// is none any more.
    pub(super) fn leave(self, response: &mut Response) {
        let kept = self.passages.open.borrow_mut().get_mut(&self.ticket).and_then(|passage| passage.rare.take());
        if let Some(mut rare) = kept {
            rare.declared_length = response.declared_length();
            rare.upgrade = rare.upgrade.filter(|_| response.status == StatusCode::SWITCHING_PROTOCOLS);
            response.rare = Some(rare);
        }
    }
}

impl Drop for OpenPassage {
    fn drop(&mut self) {
        // What a program has added to the request may run anything when it is dropped, so that is done after the borrow.
        let passage = self.passages.open.borrow_mut().remove(&self.ticket);
        drop(passage);
    }
}
