/* Templates: what compiles to what, what is refused and how it is named, how an answer is poured back. */
#include "testing.h"

#include "engine/template.h"

static struct template_plan *compile(const char *text, struct error *e)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    *e = (struct error){0};
    struct template_plan *plan = template_compile(json, e);
    json_decref(json);
    return plan;
}

static void leaves_become_fields(void **state)
{
    (void)state;
    struct error e;
    struct template_plan *plan = compile(
        "{\"a\": null, \"b\": \"date\", \"c\": [], \"d\": [\"number\"], \"e\": [\"x\", \"y\"], \"f\": [[\"x\", \"y\"]],"
        " \"g\": {\"h\": {\"stock_move_pct\": null}}, \"i\": [{\"name\": null, \"price\": \"number\"}],"
        " \"j\": {\"$type\": \"integer\", \"$description\": \"how many\"}, \"k\": \"boolean\", \"numberOfGuests\": null,"
        " \"l\": [{\"$type\": \"date\", \"$description\": \"days off\"}]}", &e);
    static const struct { const char *dotted; enum field_kind kind; enum field_type type; bool by_key; int parent; } expected[] = {
        {"a", FIELD_SCALAR, TYPE_TEXT, false, -1}, {"b", FIELD_SCALAR, TYPE_DATE, false, -1}, {"c", FIELD_LIST, TYPE_TEXT, false, -1},
        {"d", FIELD_LIST, TYPE_NUMBER, false, -1}, {"e", FIELD_ENUM, TYPE_STRING, false, -1}, {"f", FIELD_ENUM_LIST, TYPE_STRING, false, -1},
        {"g.h.stock_move_pct", FIELD_SCALAR, TYPE_NUMBER, true, -1}, {"i", FIELD_RECORDS, TYPE_TEXT, false, -1},
        {"i[].name", FIELD_SCALAR, TYPE_TEXT, false, 7}, {"i[].price", FIELD_SCALAR, TYPE_NUMBER, false, 7},
        {"j", FIELD_SCALAR, TYPE_INTEGER, false, -1}, {"k", FIELD_SCALAR, TYPE_BOOLEAN, false, -1},
        {"numberOfGuests", FIELD_SCALAR, TYPE_NUMBER, true, -1}, {"l", FIELD_LIST, TYPE_DATE, false, -1},
    };
    size_t count;
    assert_non_null(plan);
    const struct field *fields = template_fields(plan, &count);
    assert_int_equal(count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(fields[i].dotted, expected[i].dotted);
        assert_int_equal(fields[i].kind, expected[i].kind);
        assert_int_equal(fields[i].type, expected[i].type);
        assert_int_equal(fields[i].typed_by_key, expected[i].by_key);
        assert_int_equal(fields[i].parent, expected[i].parent);
    }
    assert_string_equal(fields[10].description, "how many");
    assert_string_equal(fields[13].description, "days off");
    assert_int_equal(fields[4].option_count, 2);
    template_free(plan);
}

static void check_refused(const char *text, enum error_code code, const char *param, const char *words)
{
    struct error e;
    assert_null(compile(text, &e));
    if (e.code != code || strcmp(e.param, param) || !strstr(e.message, words))
        print_error("%.60s: %s at \"%s\": %s\n", text, error_code_name(e.code), e.param, e.message);
    assert_int_equal(e.code, code);
    assert_string_equal(e.param, param);
    assert_non_null(strstr(e.message, words));
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    check_refused("[]", ERR_TEMPLATE_INVALID, "template", "must be an object");
    check_refused("{}", ERR_TEMPLATE_INVALID, "template", "nothing");
    check_refused("{\"a\": {\"b\": 3}}", ERR_TEMPLATE_INVALID, "template.a.b", "numbers");
    check_refused("{\"a\": true}", ERR_TEMPLATE_INVALID, "template.a", "true or false");
    check_refused("{\"a\": \"text\"}", ERR_TEMPLATE_INVALID, "template.a", "not a type");
    check_refused("{\"a\": [\"low\"]}", ERR_TEMPLATE_INVALID, "template.a", "at least 2");
    check_refused("{\"a\": [\"low\", \"date\"]}", ERR_TEMPLATE_INVALID, "template.a", "name of a type");
    check_refused("{\"a\": [\"low\", \"low\"]}", ERR_TEMPLATE_INVALID, "template.a", "repeats");
    check_refused("{\"a\": [{}]}", ERR_TEMPLATE_INVALID, "template.a", "at least one member");
    check_refused("{\"a\": [{\"b\": []}]}", ERR_TEMPLATE_INVALID, "template.a[].b", "not a list");
    check_refused("{\"a\": [{\"b\": [{\"c\": null}]}]}", ERR_TEMPLATE_INVALID, "template.a[].b", "another list of records");
    check_refused("{\"$x\": null}", ERR_TEMPLATE_INVALID, "template", "$type");
    check_refused("{\"a\": {\"$type\": null, \"b\": null}}", ERR_TEMPLATE_INVALID, "template.a", "nothing else");
    check_refused("{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":{\"h\":{\"i\":null}}}}}}}}}", ERR_TEMPLATE_TOO_COMPLEX,
                  "template.a.b.c.d.e.f.g.h", "8 levels");
}

static void limits_are_named_with_what_was_found(void **state)
{
    (void)state;
    char text[200 * 16 + 64] = "{", key[200];
    for (int i = 0; i < TEMPLATE_MAX_FIELDS; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s\"k%d\": null", i ? "," : "", i);
    size_t end = strlen(text);
    struct error e;
    snprintf(text + end, sizeof text - end, "}");
    struct template_plan *plan = compile(text, &e);
    assert_non_null(plan);
    template_free(plan);
    snprintf(text + end, sizeof text - end, ",\"one\": null}");
    check_refused(text, ERR_TEMPLATE_TOO_COMPLEX, "template.one", "200");
    memset(key, 'k', sizeof key);
    snprintf(text, sizeof text, "{\"%.128s\": null}", key);
    plan = compile(text, &e);
    assert_non_null(plan);
    template_free(plan);
    snprintf(text, sizeof text, "{\"%.129s\": null}", key);
    check_refused(text, ERR_TEMPLATE_TOO_COMPLEX, "template", "129");
}

static void answers_keep_shape_and_order(void **state)
{
    (void)state;
    struct error e;
    struct template_plan *plan = compile("{\"z\": null, \"a\": {\"list\": [], \"x\": null}, \"rows\": [{\"m\": null}], \"e\": [\"p\", \"q\"]}", &e);
    assert_non_null(plan);
    json_t *value = json_string("v"), *values[6] = {NULL, NULL, value};
    json_t *filled = template_fill(plan, values);
    char *text = json_dumps(filled, JSON_COMPACT);
    assert_string_equal(text, "{\"z\":null,\"a\":{\"list\":[],\"x\":\"v\"},\"rows\":[],\"e\":null}");
    free(text);
    json_decref(filled);
    json_decref(value);
    template_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_become_fields),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(limits_are_named_with_what_was_found),
        cmocka_unit_test(answers_keep_shape_and_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
