/* Any octets as a message: legal tree, legal printed forms (the invariants of tests/unit/mime_check.h). */
#include <stdint.h>

#include "../unit/mime_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_message(str_n(data, size));
	return 0;
}
