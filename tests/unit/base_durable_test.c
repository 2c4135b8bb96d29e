#include "vitrine_test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durable.h"
#include "failing_readdir.h"

static char folder[] = "/tmp/base_durable_test.XXXXXX";
static char path[sizeof(folder) + 16];

static int make_folder(void **state)
{
	(void)state;
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 7);
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	return 0;
}

static size_t files_in_folder(void)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int remove_folder(void **state)
{
	(void)state;
	chmod(folder, 0700);
	rmdir(path);
	unlink(path);
	return rmdir(folder);
}

static void assert_holds(const char *contents)
{
	struct buf b;

	buf_init(&b);
	assert_int_equal(file_read(&b, path, 100), VT_OK);
	assert_true(bytes_is(buf_bytes(&b), contents));
	buf_release(&b);
}

static void write_replaces_the_whole_file_and_leaves_nothing_beside_it(void **state)
{
	(void)state;
	struct stat st;

	assert_int_equal(durable_write(path, bytes_str("the first contents"), 0644), VT_OK);
	assert_holds("the first contents");
	assert_int_equal(durable_write(path, bytes_str("second"), 0600), VT_OK);
	assert_holds("second");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(durable_write(path, bytes_of(NULL, 0), 0600), VT_OK);
	assert_holds("");
	assert_int_equal(files_in_folder(), 1);
}

static void create_does_not_replace(void **state)
{
	(void)state;
	assert_int_equal(durable_create(path, bytes_str("first"), 0600), VT_OK);
	assert_int_equal(durable_create(path, bytes_str("second"), 0600), VT_ECONFLICT);
	assert_holds("first");
	assert_int_equal(files_in_folder(), 1);
}

static void create_does_not_follow_a_dangling_link(void **state)
{
	(void)state;
	assert_int_equal(symlink("elsewhere", path), 0);
	assert_int_equal(durable_create(path, bytes_str("x"), 0600), VT_ECONFLICT);
	assert_int_equal(files_in_folder(), 1);
}

static void a_folder_in_the_way_is_an_error_that_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(durable_mkdir(path), VT_OK);
	assert_int_equal(durable_write(path, bytes_str("x"), 0600), VT_EIO);
	assert_int_equal(files_in_folder(), 1);
}

static void a_missing_folder_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(durable_write("/tmp/no/such/folder/file", bytes_str("x"), 0600), VT_EIO);
	assert_int_equal(durable_mkdir("/tmp/no/such/folder"), VT_EIO);
}

static void a_relative_path_is_in_the_current_folder(void **state)
{
	(void)state;
	char before[4096];

	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(durable_write("file", bytes_str("x"), 0600), VT_OK);
	assert_int_equal(chdir(before), 0);
	assert_holds("x");
}

static void reading_appends_and_stops_at_the_bound(void **state)
{
	(void)state;
	struct buf b;

	buf_init(&b);
	assert_int_equal(durable_write(path, bytes_str("0123456789"), 0600), VT_OK);
	assert_int_equal(buf_append_str(&b, "kept "), VT_OK);
	assert_int_equal(file_read(&b, path, 9), VT_ELIMIT);
	assert_true(bytes_is(buf_bytes(&b), "kept "));
	assert_int_equal(file_read(&b, path, 10), VT_OK);
	assert_true(bytes_is(buf_bytes(&b), "kept 0123456789"));
	buf_release(&b);
}

static void a_large_file_is_read_whole(void **state)
{
	(void)state;
	struct buf in, out;

	buf_init(&in);
	buf_init(&out);
	for (size_t i = 0; i < 300000; i++)
		assert_int_equal(buf_append_byte(&in, (uint8_t)(i * 7 >> 3)), VT_OK);
	assert_int_equal(durable_write(path, buf_bytes(&in), 0600), VT_OK);
	assert_int_equal(file_read(&out, path, 300000), VT_OK);
	assert_true(bytes_equal(buf_bytes(&in), buf_bytes(&out)));
	buf_release(&in);
	buf_release(&out);
}

static void what_is_not_there_and_what_is_no_file_are_told_apart(void **state)
{
	(void)state;
	struct buf b;

	buf_init(&b);
	assert_int_equal(file_read(&b, path, 10), VT_ENOTFOUND);
	assert_int_equal(file_read(&b, folder, 10), VT_EIO);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

static void mkdir_takes_a_folder_that_is_there_and_nothing_else(void **state)
{
	(void)state;
	struct stat st;

	assert_int_equal(durable_mkdir(path), VT_OK);
	assert_int_equal(durable_mkdir(path), VT_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(durable_write(path, bytes_str("x"), 0600), VT_OK);
	assert_int_equal(durable_mkdir(path), VT_EIO);
}

static void a_folder_is_missing_empty_or_full(void **state)
{
	(void)state;
	enum folder_state is;

	assert_int_equal(folder_look(&is, path), VT_OK);
	assert_int_equal(is, FOLDER_MISSING);
	assert_int_equal(folder_look(&is, folder), VT_OK);
	assert_int_equal(is, FOLDER_EMPTY);
	snprintf(path, sizeof(path), "%s/lost+found", folder);
	assert_int_equal(durable_mkdir(path), VT_OK);
	assert_int_equal(folder_look(&is, folder), VT_OK);
	assert_int_equal(is, FOLDER_EMPTY);
	assert_int_equal(rmdir(path), 0);
	snprintf(path, sizeof(path), "%s/file", folder);
	assert_int_equal(durable_write(path, bytes_str("x"), 0600), VT_OK);
	assert_int_equal(folder_look(&is, folder), VT_OK);
	assert_int_equal(is, FOLDER_FULL);
	assert_int_equal(folder_look(&is, path), VT_EIO);
}

static enum vt_err count_name(void *n, const char *name)
{
	assert_string_not_equal(name, ".");
	assert_string_not_equal(name, "..");
	++*(unsigned *)n;
	return VT_OK;
}

static enum vt_err refuse_name(void *n, const char *name)
{
	(void)name;
	++*(unsigned *)n;
	return VT_ECONFLICT;
}

static void a_folder_that_is_read_half_is_not_half_as_full(void **state)
{
	(void)state;
	enum folder_state is;
	unsigned n = 0;

	assert_int_equal(folder_each(path, count_name, &n), VT_ENOTFOUND);
	for (char name = '1'; name <= '3'; name++) {
		snprintf(path, sizeof(path), "%s/%c", folder, name);
		assert_int_equal(durable_write(path, bytes_str("x"), 0600), VT_OK);
	}
	assert_int_equal(folder_each(folder, count_name, &n), VT_OK);
	assert_int_equal(n, 3);
	n = 0;
	assert_int_equal(folder_each(folder, refuse_name, &n), VT_ECONFLICT);
	assert_int_equal(n, 1);
	for (readdir_names = 0; readdir_names <= 5; readdir_names++) {
		errno = 0;
		assert_int_equal(folder_each(folder, count_name, &n), VT_EIO);
		assert_int_equal(errno, EIO);
		assert_int_equal(folder_look(&is, folder), VT_EIO);
		assert_int_equal(errno, EIO);
	}
	readdir_names = -1;
	snprintf(path, sizeof(path), "%s/1", folder);
	assert_int_equal(folder_each(path, count_name, &n), VT_EIO); /* no folder */
	for (char name = '1'; name <= '3'; name++) {
		snprintf(path, sizeof(path), "%s/%c", folder, name);
		assert_int_equal(unlink(path), 0);
	}
}

static void a_path_is_whole_or_refused(void **state)
{
	(void)state;
	char out[PATH_MAX], name[PATH_MAX];

	assert_int_equal(path_in(out, "/a", "b"), VT_OK);
	assert_string_equal(out, "/a/b");
	memset(name, 'n', sizeof(name));
	name[PATH_MAX - 3] = '\0'; /* with "a/" it just fits */
	assert_int_equal(path_in(out, "a", name), VT_OK);
	assert_int_equal(strlen(out), PATH_MAX - 1);
	errno = 0;
	assert_int_equal(path_in(out, "ab", name), VT_ELIMIT);
	assert_int_equal(errno, ENAMETOOLONG);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_FOLDER(write_replaces_the_whole_file_and_leaves_nothing_beside_it),
	    IN_FOLDER(create_does_not_replace),
	    IN_FOLDER(a_folder_is_missing_empty_or_full),
	    IN_FOLDER(a_folder_that_is_read_half_is_not_half_as_full),
	    cmocka_unit_test(a_path_is_whole_or_refused),
	    IN_FOLDER(create_does_not_follow_a_dangling_link),
	    IN_FOLDER(a_folder_in_the_way_is_an_error_that_leaves_nothing),
	    IN_FOLDER(a_missing_folder_is_an_error),
	    IN_FOLDER(a_relative_path_is_in_the_current_folder),
	    IN_FOLDER(reading_appends_and_stops_at_the_bound),
	    IN_FOLDER(a_large_file_is_read_whole),
	    IN_FOLDER(what_is_not_there_and_what_is_no_file_are_told_apart),
	    IN_FOLDER(mkdir_takes_a_folder_that_is_there_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
