/* wire/text/text_subject.h - the base subject of a message: what is left without "Re:", "Fwd:", "[list]" and the like.
 *
 * RFC 5256 §2.1 and §5:
 *   subject      = *subj-leader [subj-middle] *subj-trailer
 *   subj-refwd   = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
 *   subj-blob    = "[" *BLOBCHAR "]" *WSP             BLOBCHAR: anything but "[" and "]"
 *   subj-fwd     = "[fwd:" subject "]"
 *   subj-leader  = (*subj-blob subj-refwd) / WSP
 *   subj-trailer = "(fwd)" / WSP
 *
 * Linear in the length of the subject. Pure. Tests: tests/unit/test_text_subject.c, tests/fuzz/fuzz_text.c.
 */
#ifndef WIRE_TEXT_TEXT_SUBJECT_H
#define WIRE_TEXT_TEXT_SUBJECT_H

#include "base/str.h"

/* A slice of `subject`, which is decoded (RFC 2047) and unfolded; inside it runs of white space are as they were. *ret_reply: a
 * "Re:", "Fwd:", "[fwd: ]" or "(fwd)" was taken off. */
struct str text_subject_base(struct str subject, bool *ret_reply);

#endif
