/* wire/mime/mime_section.c - section numbers (RFC 9051 §6.4.5.1).
 *
 * A number picks a part of a multipart. In a message that is no multipart, 1 is its body; and a message/rfc822 part is
 * numbered inside like the message it holds, so the number that names the message also names its multipart.
 */
#include "wire/mime/mime.h"

/* Part `n` of the message whose header and body `entity` is. */
static const struct mime_part *in_message(const struct mime_part *entity, uint32_t n)
{
	const struct mime_part *c;

	if (!entity->multipart)
		return n == 1 ? entity : NULL;
	for (c = entity->child; c && n > 1; c = c->next)
		n--;
	return c;
}

const struct mime_part *mime_section(const struct mime *m, struct str section)
{
	const struct mime_part *entity = m->root, *found = m->root;

	while (section.n > 0) {
		struct str number, rest;
		uint32_t   n;
		bool       more = str_cut(section, '.', &number, &rest);

		if (!str_to_u32(number, &n) || n == 0 || !entity || (more && rest.n == 0))
			return NULL;
		found = in_message(entity, n);
		if (!found)
			return NULL;
		/* What the next number counts in: a multipart itself, or the message that a part holds. */
		entity = found->multipart ? found : found->message ? found->child : NULL;
		section = rest;
	}
	return found;
}
