/* SPDX-License-Identifier: Apache-2.0 */
/* Plans and classes of documents: which attribute is which stored field. */
#include "rows.h"

int ds__attribute_field(const ds__rows *rows, PyTypeObject *type, PyObject *name) {
    ds__schema *schema = ds__schema_of(rows->state, (PyObject *)type);
    PyObject *found_b = schema ? ds__class_attribute(type, name) : NULL;
    if (!schema) {
        PyErr_Clear();
        return -1;
    }
    if (found_b && found_b == rows->pk && schema->primary >= 0) {
        name = schema->fields[schema->primary].name;
        found_b = ds__class_attribute(type, name);
    }
    PyObject *at_b = found_b ? PyDict_GetItemWithError(schema->by_name, name) : NULL;
    int at = at_b ? (int)PyLong_AsLong(at_b) : -1;
    PyErr_Clear();
    if (at < 0 || (!Py_IS_TYPE(found_b, (PyTypeObject *)rows->state->slot_type) &&
                   !(schema->fields[at].object == found_b &&
                     Py_IS_TYPE(found_b, (PyTypeObject *)rows->own)))) {
        return -1;
    }
    return at;
}

static PyObject *class_attribute_named(PyTypeObject *type, const char *name) {
    PyObject *text = PyUnicode_InternFromString(name);
    PyObject *found_b = text ? ds__class_attribute(type, text) : NULL;
    Py_XDECREF(text);
    return found_b;
}

/* Reading an attribute runs no code of the class. */
static bool reads_plainly(PyTypeObject *type) {
    return class_attribute_named(type, "__getattribute__") ==
           class_attribute_named(&PyBaseObject_Type, "__getattribute__");
}

/* Whether DRF's related fields could get a key by another way than the attribute: the method of
 * documents gives just that and says so. */
static bool has_serializable_value(PyTypeObject *type, const ds__schema *schema) {
    PyObject *found_b = class_attribute_named(type, "serializable_value");
    if (schema->dynamic || !found_b) {
        return schema->dynamic;
    }
    PyObject *plain = PyObject_GetAttrString(found_b, "gives_the_attribute");
    PyErr_Clear();
    Py_XDECREF(plain);
    return !plain;
}

const ds__bound *ds__bind(ds__rows *rows, ds__plan *plan, PyTypeObject *type) {
    for (const ds__bound *b = plan->bounds; b; b = b->next) {
        if (b->type == type) {
            return b;
        }
    }
    ds__bound *made = PyMem_Calloc(1, sizeof *made + plan->count * sizeof made->at[0]);
    if (!made) {
        PyErr_NoMemory();
        return NULL;
    }
    ds__schema *schema = ds__schema_of(rows->state, (PyObject *)type);
    PyErr_Clear(); /* a class without a schema has no documents; Python may say so */
    bool plain = schema && reads_plainly(type);
    for (size_t i = 0; i < plan->count; i++) {
        ds__entry *e = &plan->entries[i];
        int at = plain && e->attribute ? ds__attribute_field(rows, type, e->attribute) : -1;
        if (at >= 0 &&
            (!ds__shape_fits(&e->shape, &schema->fields[at]) ||
             (e->shape.how == DS_SHOW_REFERENCE && has_serializable_value(type, schema)))) {
            at = -1;
        }
        made->at[i] = at;
        made->python |= at < 0;
    }
    made->type = (PyTypeObject *)Py_NewRef((PyObject *)type);
    made->schema = schema;
    made->next = plan->bounds;
    plan->bounds = made;
    return made;
}
