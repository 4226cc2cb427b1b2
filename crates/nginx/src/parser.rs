//! Tokens to a tree of directives. Goes on after a mistake, so that all of a file's mistakes are found.

use crate::lexer::{Lexer, Token};
use crate::notes::Notes;
use crate::tree::{Directive, Word};
use bifrons_config::{Place, Problem, Source};
use std::sync::Arc;

/// Blocks within blocks. Five is what real files have (`http server location location if`).
const DEPTH_MAX: usize = 64;

/// The directives of a source. Mistakes go to `notes`; what could be read is returned nevertheless.
pub(crate) fn parse(source: &Arc<Source>, notes: &mut Notes) -> Vec<Directive> {
    notes.sources.push(source.clone());
    let mut lexer = Lexer::new(source);
    let mut parser = Parser::default();
    while let Some(token) = lexer.next(notes) {
        parser.take(token, notes);
    }
    parser.finish(lexer.end(), notes)
}

/// A block that is being read.
struct Open {
    /// The words before its `{`; none after a mistake.
    words: Vec<Word>,
    /// The directives before it in the enclosing block.
    before: Vec<Directive>,
}

#[derive(Default)]
struct Parser {
    /// Enclosing blocks, outermost first.
    open: Vec<Open>,
    /// Directives of the innermost block.
    block: Vec<Directive>,
    /// Words of a directive that is being read.
    words: Vec<Word>,
    /// Blocks that are deeper than is read.
    skipped: usize,
}

impl Parser {
    fn take(&mut self, token: Token, notes: &mut Notes) {
        match token {
            Token::Word(word) => self.words.push(word),
            Token::Broken => self.words.clear(),
            Token::Semicolon(place) => self.end_directive(place, notes),
            Token::Open(place) => self.open_block(place, notes),
            Token::Close(place) => self.close_block(place, notes),
        }
    }

    fn end_directive(&mut self, place: Place, notes: &mut Notes) {
        match Directive::of(std::mem::take(&mut self.words), None) {
            Some(directive) if self.skipped == 0 => self.block.push(directive),
            Some(_) => {}
            None => notes.problem(Problem::at(place, "unexpected \";\"")),
        }
    }

    fn open_block(&mut self, place: Place, notes: &mut Notes) {
        let words = std::mem::take(&mut self.words);
        if words.is_empty() {
            notes.problem(Problem::at(place.clone(), "unexpected \"{\""));
        }
        if self.skipped > 0 || self.open.len() == DEPTH_MAX {
            if self.skipped == 0 {
                notes.problem(Problem::at(place, format!("more than {DEPTH_MAX} blocks within each other")));
            }
            self.skipped += 1;
            return;
        }
        self.open.push(Open { words, before: std::mem::take(&mut self.block) });
    }

    fn close_block(&mut self, place: Place, notes: &mut Notes) {
        if !self.words.is_empty() {
            let mut problem = Problem::at(place.clone(), "unexpected \"}\"");
            if let Some(word) = self.words.last() {
                problem = problem.help(format!("is a \";\" missing after \"{}\"?", word.text));
            }
            notes.problem(problem);
            // Taken as if the ";" were there.
            self.end_directive(place.clone(), notes);
        }
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        if !self.pop() {
            notes.problem(Problem::at(place, "unexpected \"}\""));
        }
    }

    /// Ends the innermost block; `false` where none is open.
    fn pop(&mut self) -> bool {
        let Some(Open { words, before }) = self.open.pop() else {
            return false;
        };
        let inner = std::mem::replace(&mut self.block, before);
        self.block.extend(Directive::of(words, Some(inner)));
        true
    }

    /// The end of the text.
    fn finish(mut self, end: Place, notes: &mut Notes) -> Vec<Directive> {
        if let Some(last) = self.words.last() {
            let message = "unexpected end of file, expecting \";\" or \"}\"";
            let help = format!("is a \";\" missing after \"{}\"?", last.text);
            notes.problem(Problem::at(end, message).help(help));
        } else if let Some(open) = self.open.last() {
            let mut problem = Problem::at(end, "unexpected end of file, expecting \"}\"");
            if let Some(word) = open.words.first() {
                let (line, _) = word.place.line_column();
                problem = problem.help(format!("\"{}\" in line {line} is not closed", word.text));
            }
            notes.problem(problem);
        }
        while self.pop() {}
        self.block
    }
}

#[cfg(test)]
mod tests;
