/* Rights and identifiers: what is read can be told and read again, and never grows but by what "d" stands for. */
#include "wire/imap/imap_acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str             in = str_n(data, size);
	struct imap_identifier id;
	enum imap_rights_op    op;
	unsigned               rights, back;
	char                   text[IMAP_RIGHTS_TEXT];

	if (imap_rights_parse(in, &op, &rights)) {
		imap_rights_print(rights, text);
		CHECK((rights & ~(unsigned)IMAP_RIGHT_ALL) == 0);
		CHECK(imap_rights_parse(str_of(text), &op, &back) && (back & rights) == rights);
	}
	if (imap_identifier_parse(in, &id)) {
		CHECK(id.name.n <= LIMIT_ADDRESS && !str_has_ctl(id.name) && str_is_utf8(id.name));
		CHECK((id.name.n == 0) == (id.kind == IMAP_IDENTIFIER_ANYONE));
	}
	return 0;
}
